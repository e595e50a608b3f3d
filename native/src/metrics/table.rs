//! The series of one family: found by their labels' numbers.

use super::histogram::{Histogram, Origin};
use super::labels::{FastMap, Id, OTHER};

pub const MOST_LABELS: usize = 5;
/// The labels of a series, in the order of the family's; the rest is zero.
pub type Labels = [Id; MOST_LABELS];

/// A place where no series is: what is told to it is forgotten.
pub const NOWHERE: usize = usize::MAX;

/// Each label is bounded, but their product may be large. A series of a histogram
/// takes 0.3 KB, with exemplars 1 KB: 5 MB a family at most.
const MOST_SERIES: usize = 5000;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// Not set up: what is told to it is forgotten.
    #[default]
    Off,
    Number,
    Histogram,
}

#[derive(Clone)]
pub enum Cell {
    /// A sum, and how often it was added to.
    Number {
        value: f64,
        updates: u64,
    },
    Histogram(Histogram),
}

#[derive(Clone)]
pub struct Series {
    pub labels: Labels,
    pub cell: Cell,
}

#[derive(Default)]
pub struct Family {
    pub kind: Kind,
    /// Of each label, where its values are.
    pub sets: Vec<usize>,
    /// Inclusive upper bounds of a histogram's buckets.
    pub bounds: Vec<f64>,
    pub is_exponential: bool,
    pub series: Vec<Series>,
    places: FastMap<u64, usize>,
}

#[inline]
fn key_of(labels: &Labels) -> u64 {
    labels.iter().fold(0, |key, id| key << 12 | u64::from(*id))
}

impl Family {
    /// Without series. `sets` says for each label where its values are; `bounds` are a
    /// histogram's.
    pub fn new(kind: Kind, sets: Vec<usize>, bounds: Vec<f64>, is_exponential: bool) -> Self {
        Family {
            kind,
            sets,
            bounds,
            is_exponential,
            ..Family::default()
        }
    }

    /// Where the series with these labels is, made with its first look-up.
    #[inline]
    pub fn place(&mut self, labels: Labels) -> usize {
        match self.places.get(&key_of(&labels)) {
            Some(place) => *place,
            None => self.fresh(labels),
        }
    }

    #[cold]
    fn fresh(&mut self, mut labels: Labels) -> usize {
        if self.series.len() >= MOST_SERIES {
            labels = [0; MOST_LABELS];
            labels[..self.sets.len()].fill(OTHER);
            if let Some(place) = self.places.get(&key_of(&labels)) {
                return *place;
            }
        }
        let cell = match self.kind {
            Kind::Histogram => {
                Cell::Histogram(Histogram::new(self.bounds.len(), self.is_exponential))
            }
            _ => Cell::Number {
                value: 0.0,
                updates: 0,
            },
        };
        let place = self.series.len();
        self.series.push(Series { labels, cell });
        self.places.insert(key_of(&labels), place);
        place
    }

    /// Adds to a counter or an up-down counter.
    #[inline]
    pub fn add(&mut self, labels: Labels, amount: f64) {
        if self.kind != Kind::Number {
            return;
        }
        let place = self.place(labels);
        self.add_at(place, amount);
    }

    /// The same for the series at a place; nothing where there is none.
    #[inline]
    pub fn add_at(&mut self, place: usize, amount: f64) {
        let series = self.series.get_mut(place);
        if let Some(Cell::Number { value, updates }) = series.map(|series| &mut series.cell) {
            *value += amount;
            *updates += 1;
        }
    }

    /// Counts a value in a histogram.
    #[inline]
    pub fn observe(&mut self, labels: Labels, value: f64, origin: Option<Origin>) {
        if self.kind != Kind::Histogram || !value.is_finite() {
            return;
        }
        let place = self.place(labels);
        self.observe_at(place, value, origin);
    }

    /// The same for a finite value and the series at a place.
    #[inline]
    pub fn observe_at(&mut self, place: usize, value: f64, origin: Option<Origin>) {
        let series = self.series.get_mut(place);
        if let Some(Cell::Histogram(histogram)) = series.map(|series| &mut series.cell) {
            histogram.observe(&self.bounds, value, origin);
        }
    }

    /// Forgets all numbers.
    pub fn clear(&mut self) {
        self.series.clear();
        self.places.clear();
    }

    /// How many measurements carry [`OTHER`] in their label number `at`.
    pub fn overflows(&self, at: usize) -> u64 {
        let beyond = |series: &&Series| series.labels[at] == OTHER;
        let counts = self.series.iter().filter(beyond);
        counts
            .map(|series| match &series.cell {
                Cell::Number { updates, .. } => *updates,
                Cell::Histogram(histogram) => histogram.count,
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter() -> Family {
        Family::new(Kind::Number, vec![0, 1], vec![], false)
    }

    /// Labels in another order are another series.
    #[test]
    fn a_series_is_its_labels() {
        let mut family = counter();
        family.add([2, 3, 0, 0, 0], 1.0);
        family.add([3, 2, 0, 0, 0], 5.0);
        family.add([2, 3, 0, 0, 0], 2.0);
        let values: Vec<f64> = family
            .series
            .iter()
            .map(|series| match series.cell {
                Cell::Number { value, .. } => value,
                Cell::Histogram(_) => f64::NAN,
            })
            .collect();
        assert_eq!(values, [3.0, 5.0]);
    }

    /// However many combinations come, memory stays bounded and nothing is lost.
    #[test]
    fn the_number_of_series_is_bounded() {
        let mut family = counter();
        for one in 2..120 {
            for other in 2..120 {
                family.add([one, other, 0, 0, 0], 1.0);
            }
        }
        assert_eq!(family.series.len(), MOST_SERIES + 1);
        let beyond = 118 * 118 - MOST_SERIES as u64;
        assert_eq!((family.overflows(0), family.overflows(1)), (beyond, beyond));
    }

    /// What is not set up is forgotten.
    #[test]
    fn off_is_off() {
        let mut family = Family::default();
        family.add([0; 5], 1.0);
        family.observe([0; 5], 1.0, None);
        assert!(family.series.is_empty());
    }
}

//! Entries by a small number, side by side.

/// What stands under each number below `SLOTS`, in the order in which it came. A vector
/// of vectors would take 24 bytes for each number that nothing stands under.
pub struct Slots<T, const SLOTS: usize> {
    /// Where a number's entries begin; they end where the next one's begin.
    begins: Box<[u16]>,
    entries: Box<[T]>,
}

impl<T: Copy, const SLOTS: usize> Slots<T, SLOTS> {
    pub fn build(entries: impl IntoIterator<Item = (usize, T)>) -> Self {
        let mut entries: Vec<(usize, T)> = entries.into_iter().collect();
        entries.sort_by_key(|(slot, _)| *slot);
        let begin = |slot| entries.partition_point(|(of, _)| *of < slot) as u16;
        Slots {
            begins: (0..=SLOTS).map(begin).collect(),
            entries: entries.iter().map(|(_, entry)| *entry).collect(),
        }
    }

    /// The entries of a slot below `SLOTS`.
    #[inline]
    pub fn of(&self, slot: usize) -> &[T] {
        &self.entries[usize::from(self.begins[slot])..usize::from(self.begins[slot + 1])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each slot has its own entries, in their order.
    #[test]
    fn a_slot_has_its_entries_in_order() {
        let slots = Slots::<u8, 4>::build([(3, 1), (0, 2), (3, 3), (1, 4), (3, 5)]);
        let found: Vec<&[u8]> = (0..4).map(|slot| slots.of(slot)).collect();
        assert_eq!(found, [&[2][..], &[4], &[], &[1, 3, 5]]);
    }
}

-- Since when there are requests at all.
SELECT min(minute) AS minute FROM red_minute

SELECT min(start_ns) AS start, max(end_ns) AS "end" FROM traces WHERE trace_id = $id::UUID

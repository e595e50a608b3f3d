SELECT printf('%016x', resource_id) AS resource_id, attributes FROM resources
WHERE printf('%016x', resource_id) IN (SELECT unnest($ids::VARCHAR[]))

-- The steps of which metric_steps does not have all points: they came after it was made, or it was
-- not made yet. A question reads the points of these. Each batch adds its minutes, in its own
-- transaction, so that nothing that ends the process makes an answer wrong.
CREATE TABLE IF NOT EXISTS metric_steps_due (
  length_s BIGINT NOT NULL,
  step BIGINT NOT NULL  -- in units of length_s, since 1970
);

"""How time grows: with slices, workers, connections and latency."""

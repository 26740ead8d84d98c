//! Routes, limits and the one place that makes error responses.

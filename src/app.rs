//! Wiring: checked settings to a running server.

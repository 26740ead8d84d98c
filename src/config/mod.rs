//! Raw settings (file and environment) to checked settings.

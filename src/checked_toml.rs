//! Reading TOML so that every problem is reported, each with file, line and key.

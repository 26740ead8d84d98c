//! A WeCom on loopback, for trying the bot out and for tests.

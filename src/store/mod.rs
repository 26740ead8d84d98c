//! Durable state: sessions, settled messages with their replies, questions asked.

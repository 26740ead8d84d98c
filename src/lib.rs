//! Jiefeng (解封): answers people whose WeCom or WeChat account has been restricted, inside WeCom.
//!
//! The modules in reading order. The first four are the pure core: no I/O, no clock, no randomness, no async; what they need is an
//! argument. The rest is the shell that feeds them. The shell depends on the core, never back; `tests/it/house.rs` enforces it.

pub mod checked_toml;

pub mod protocol;

pub mod knowledge;

pub mod matching;

pub mod dialogue;

pub mod bilingual;

mod tls;

pub mod config;

pub mod metrics;

pub mod store;

pub mod learning;

pub mod evaluation;

pub mod wecom;

pub mod channels;

pub mod service;

pub mod workshop;

pub mod http;

pub mod simulator;

pub mod doctor;

pub mod console;

pub mod setup;

pub mod cli;

pub mod app;

pub mod failpoint;

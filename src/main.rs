//! Jiefeng.
fn main() {}

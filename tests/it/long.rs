//! What could go on for hours: the suite does a little of it, `tests/long` as much as a variable says.

/// Reads a number from the environment.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect("a number"))
}

/// The seed of what is random; what is printed brings the same again.
pub(crate) fn seed() -> u64 {
    let now = jiff::Timestamp::now().as_nanosecond();
    let seed = number("JIEFENG_SEED", u64::try_from(now & i128::from(u32::MAX)).unwrap());
    println!("JIEFENG_SEED={seed}");
    seed
}

/// Says what has been reached; `tests/long` shows these lines at its end.
pub(crate) fn reached(figure: &str) {
    println!("\nreached: {figure}");
}

/// Says now and then how far it is.
pub(crate) struct Progress {
    what: &'static str,
    all: u64,
    told: u64,
}

impl Progress {
    pub(crate) fn towards(all: u64, what: &'static str) -> Self {
        Self { what, all, told: 0 }
    }

    pub(crate) fn is_at(&mut self, done: u64) {
        let tenth = done * 10 / self.all.max(1);
        if tenth > self.told {
            self.told = tenth;
            println!("{done} of {} {}", self.all, self.what);
        }
    }
}

/// Numbers that a seed brings again.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded() -> Self {
        Self(seed() | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

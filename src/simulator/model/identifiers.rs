//! Ids, tokens and codes: unlike each other and without meaning to the reader, yet the same ones from the same start.

/// Makes them from a running number.
#[derive(Debug)]
pub(crate) struct Identifiers {
    next: u64,
}

impl Identifiers {
    /// Simulators that start at different numbers never make the same id: a bot remembers ids across restarts.
    pub(crate) fn starting_at(next: u64) -> Self {
        Self { next }
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// A prefix with 32 letters and digits.
    pub(crate) fn opaque(&mut self, prefix: &str) -> String {
        let number = self.number();
        format!("{prefix}{:016x}{:016x}", scramble(number), scramble(!number))
    }
}

/// A number that shows nothing of the one it was made of: the finaliser of SplitMix64, which maps no two numbers to one.
pub(crate) fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_repeat_from_the_same_start() {
        let mut identifiers = Identifiers::starting_at(7);
        let first = identifiers.opaque("wk");
        assert_eq!(first.len(), 34);
        assert_ne!(first, identifiers.opaque("wk"));
        assert_eq!(first, Identifiers::starting_at(7).opaque("wk"));
    }
}

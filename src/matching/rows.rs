//! Which of the features have a row in a table, where only some have one.

/// The features with a row, a bit each, and for each word of bits how many rows lie before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    words: Vec<(u64, u32)>,
    count: u32,
}

impl Rows {
    /// Rows for the features for which this says so, in their order.
    pub(super) fn of(has_row: impl IntoIterator<Item = bool>) -> Self {
        let mut rows = Self::default();
        for (feature, has_row) in has_row.into_iter().enumerate() {
            if feature % 64 == 0 {
                rows.words.push((0, rows.count));
            }
            if let Some((bits, _)) = rows.words.last_mut().filter(|_| has_row) {
                *bits |= 1 << (feature % 64);
                rows.count += 1;
            }
        }
        rows
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// The row of a feature.
    pub(super) fn of_feature(&self, feature: u32) -> Option<usize> {
        let (bits, before) = self.words.get(feature as usize / 64)?;
        let bit = 1 << (feature % 64);
        (bits & bit != 0).then(|| (before + (bits & (bit - 1)).count_ones()) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_in_the_order_of_their_features() {
        let rows = Rows::of((0..1000).map(|feature| feature % 3 == 1));
        let numbered = (0..1000).filter_map(|feature| rows.of_feature(feature));
        assert!(numbered.eq(0..rows.count()));
        assert_eq!(
            (rows.of_feature(0), rows.of_feature(1), rows.of_feature(1000)),
            (None, Some(0), None)
        );
        assert_eq!(rows.count(), 333);
    }
}

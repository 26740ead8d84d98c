//! Charts: from numbers to places in a picture of 1000 by 200, which templates draw as SVG. Words stand beside the picture, not in it, so
//! that it can be stretched to any width.

/// Width and height of the picture.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 200.0;

/// How much of its place a bar takes.
const FILLED: f64 = 0.72;

/// Bars of parts that stand on each other.
pub(super) struct Bars {
    /// From left to right.
    pub(super) bars: Vec<Bar>,
    /// The value at the upper edge, and the one half-way.
    pub(super) top: u64,
    pub(super) half: u64,
}

/// One bar.
pub(super) struct Bar {
    /// The place that belongs to it, filled or not.
    pub(super) left: f64,
    pub(super) step: f64,
    pub(super) parts: Vec<Part>,
}

/// One part of a bar.
pub(super) struct Part {
    /// The name of its colour.
    pub(super) class: &'static str,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Bars {
    /// Each column has values for the same classes, the lowest part first.
    pub(super) fn new<const PARTS: usize>(classes: [&'static str; PARTS], columns: &[[u64; PARTS]]) -> Self {
        let highest = columns.iter().map(|values| values.iter().sum::<u64>()).max();
        let top = round_top(highest.unwrap_or_default());
        let step = WIDTH / columns.len().max(1) as f64;
        let bars = columns.iter().enumerate().map(|(place, values)| {
            let left = place as f64 * step;
            let mut y = HEIGHT;
            let parts = classes.into_iter().zip(values).map(|(class, value)| {
                let height = *value as f64 / top as f64 * HEIGHT;
                y -= height;
                Part {
                    class,
                    x: left + step * (1.0 - FILLED) / 2.0,
                    y,
                    width: step * FILLED,
                    height,
                }
            });
            Bar {
                left,
                step,
                parts: parts.filter(|part| part.height > 0.0).collect(),
            }
        });
        Self {
            bars: bars.collect(),
            top,
            half: top / 2,
        }
    }
}

/// The next number that is easy to read and can be halved: 2, 4, 10, 20, 40, 100 …
fn round_top(highest: u64) -> u64 {
    let mut unit: u64 = 1;
    loop {
        for factor in [2, 4, 6, 10] {
            let top = unit.saturating_mul(factor);
            if top >= highest || top == u64::MAX {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// The corners of a line through values from left to right, for `points`. Nothing is drawn where there is no value.
pub(super) fn line(values: &[Option<f64>], top: f64) -> String {
    let step = WIDTH / values.len().max(1) as f64;
    let point = |x: f64, y: f64| format!("{x:.1},{y:.1}");
    let corners: Vec<(f64, f64)> = (0..)
        .zip(values)
        .filter_map(|(place, value)| {
            let y = HEIGHT - ((*value)? / top).clamp(0.0, 1.0) * HEIGHT;
            Some(((f64::from(place) + 0.5) * step, y))
        })
        .collect();
    match corners[..] {
        // One corner alone is no line, and nothing would be seen of it.
        [(x, y)] => format!("{} {}", point(x - step / 2.0, y), point(x + step / 2.0, y)),
        _ => corners.iter().map(|(x, y)| point(*x, *y)).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_the_lower_edge_and_fit() {
        let bars = Bars::new(["a", "b"], &[[1, 2], [0, 0], [40, 10]]);
        assert_eq!((bars.top, bars.half), (60, 30));
        let lowest = &bars.bars[2].parts[0];
        assert!((lowest.y + lowest.height - HEIGHT).abs() < 1e-9);
        assert!(bars.bars[1].parts.is_empty());
        let parts = bars.bars.iter().flat_map(|bar| &bar.parts);
        assert!(
            parts
                .into_iter()
                .all(|part| part.y >= 0.0 && part.x + part.width <= WIDTH)
        );
        assert_eq!(Bars::new(["a"], &[]).top, 2);
    }

    #[test]
    fn the_upper_edge_is_easy_to_read() {
        let tops = [0, 2, 3, 5, 7, 11, 99, 3_333, u64::MAX].map(round_top);
        assert_eq!(tops, [2, 2, 4, 6, 10, 20, 100, 4_000, u64::MAX]);
    }

    #[test]
    fn a_line_leaves_out_what_is_not_known() {
        assert_eq!(
            line(&[Some(0.0), None, Some(50.0), Some(200.0)], 100.0),
            "125.0,200.0 625.0,100.0 875.0,0.0"
        );
    }

    #[test]
    fn a_single_value_can_be_seen() {
        assert_eq!(line(&[None, Some(50.0)], 100.0), "500.0,100.0 1000.0,100.0");
    }
}

//! What the figures must reach; otherwise the command ends with status 1.

use std::collections::BTreeMap;

use clap::Args;

use super::figures::{Figures, Share};
use crate::evaluation::Label;

/// What is demanded of the figures
#[derive(Args)]
pub(super) struct Gates {
    /// Exit with status 1 when fewer rows than this percentage are right; `none=90` demands it of one kind of label. Repeatable
    #[arg(long, value_name = "[KIND=]PERCENT", value_parser = parse_least)]
    at_least: Vec<Least>,
    /// Exit with status 1 when more rows than this percentage get a wrong answer (the error that misleads)
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    at_most_wrong: Option<f64>,
    /// Exit with status 1 when more rows than this are lost against OLD_DIR
    #[arg(long, value_name = "ROWS", requires = "compare")]
    at_most_lost: Option<usize>,
}

/// So many percent must be right: of all rows, or of those with one kind of label.
#[derive(Clone, Debug, PartialEq)]
struct Least {
    kind: Option<String>,
    percent: f64,
}

impl Gates {
    /// A sentence for everything that is demanded and not reached.
    pub(super) fn missed(&self, figures: &Figures, lost: Option<usize>) -> Vec<String> {
        let too_few = self.at_least.iter().filter_map(|least| least.missed(figures));
        let wrong = figures.misled().percentage();
        let too_wrong = self.at_most_wrong.filter(|most| wrong > *most);
        let too_wrong =
            too_wrong.map(|most| format!("{wrong:.1} % of the rows got a wrong answer, at most {most} % may"));
        let too_lost = lost.zip(self.at_most_lost).filter(|(lost, most)| lost > most);
        let too_lost = too_lost
            .map(|(lost, most)| format!("rows lost against the other knowledge: {lost}, at most {most} may be"));
        too_few.chain(too_wrong).chain(too_lost).collect()
    }
}

impl Least {
    fn missed(&self, figures: &Figures) -> Option<String> {
        let wanted = self.percent;
        let (share, rows) = match &self.kind {
            None => (figures.all(), "rows".to_owned()),
            Some(kind) => (share_of(&figures.by_label_kind, kind), format!("`{kind}` rows")),
        };
        if share.rows == 0 {
            return Some(format!(
                "there are no {rows}, and at least {wanted} % of them must be right"
            ));
        }
        let reached = share.percentage();
        (reached < wanted).then(|| format!("{reached:.1} % of the {rows} are right, at least {wanted} % must be"))
    }
}

fn share_of(shares: &BTreeMap<&'static str, Share>, kind: &str) -> Share {
    shares.get(kind).copied().unwrap_or_default()
}

fn parse_least(text: &str) -> Result<Least, String> {
    let (kind, percent) = match text.split_once('=') {
        Some((kind, percent)) => (Some(kind.to_owned()), percent),
        None => (None, text),
    };
    if let Some(unknown) = kind.as_deref().filter(|kind| !Label::KINDS.contains(kind)) {
        return Err(format!(
            "`{unknown}` is no kind of label; there are {}",
            Label::KINDS.join(", ")
        ));
    }
    let percent = parse_percent(percent)?;
    Ok(Least { kind, percent })
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse::<f64>().ok();
    let percent = number.filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| format!("`{text}` is no percentage; write a number from 0 to 100"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_is_of_all_rows_or_of_one_kind() {
        let least = |kind: Option<&str>, percent| Least {
            kind: kind.map(str::to_owned),
            percent,
        };
        assert_eq!(parse_least("96"), Ok(least(None, 96.0)));
        assert_eq!(parse_least("none=90.5"), Ok(least(Some("none"), 90.5)));
        for wrong in ["nan", "101", "-1", "many", "nothing=90"] {
            assert!(parse_least(wrong).is_err(), "{wrong}");
        }
    }
}

//! The list of messages as a file for a spreadsheet.

use std::io;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use futures_util::stream;

use super::messages::Filter;
use crate::console::form::Posted;
use crate::console::format::full_time;
use crate::console::masking::masked;
use crate::console::refusal::Refusal;
use crate::console::state::Console;
use crate::console::visit::{Viewer, Visit};
use crate::store::{ConsoleRole, FoundQuestion, QuestionSearch};

/// Rows are read so many at a time.
const AT_ONCE: usize = 500;

/// So many questions are looked at, at a time.
const LOOKED_AT: usize = 10_000;

/// Rows of a file at most.
const MOST: usize = 100_000;

/// Spreadsheets take a file without it for one in the machine's old encoding.
const BYTE_ORDER_MARK: &str = "\u{feff}";

const COLUMNS: [&str; 10] = [
    "time",
    "app",
    "person",
    "text",
    "language",
    "decision",
    "scenarios",
    "confidence",
    "microseconds",
    "knowledge_version",
];

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route("/console/messages/export", web::post().to(export));
}

async fn export(visit: Visit<Viewer>, Posted(filter): Posted<Filter>) -> Result<HttpResponse, Refusal> {
    let is_masked = filter.unmasked != "yes";
    if !is_masked && visit.user.role < ConsoleRole::Admin {
        return Err(Refusal::NotAllowed);
    }
    visit
        .note("export", if is_masked { "messages" } else { "messages, unmasked" })
        .await?;
    let writing = Writing {
        console: visit.console,
        search: Some(filter.search(AT_ONCE, LOOKED_AT)),
        is_masked,
        is_begun: false,
        written: 0,
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"jiefeng-messages.csv\""))
        .streaming(stream::unfold(writing, Writing::next)))
}

/// A file that is written while it is sent.
struct Writing {
    console: Data<Console>,
    /// What comes next; `None`: nothing more.
    search: Option<QuestionSearch>,
    is_masked: bool,
    is_begun: bool,
    written: usize,
}

impl Writing {
    /// The next piece of the file, the first one with its head.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let search = self.search.take()?;
        let found = match self.console.store.find_questions(search.clone()).await {
            Ok(found) => found,
            // The connection breaks off, so that nobody takes the piece for the whole.
            Err(error) => return Some((Err(io::Error::other(error)), self)),
        };
        let rows = found.found.iter().map(|question| row(question, self.is_masked));
        let piece = match self.is_begun {
            true => lines(rows),
            false => {
                let head = COLUMNS.map(str::to_owned);
                format!("{BYTE_ORDER_MARK}{}", lines(std::iter::once(head).chain(rows)))
            }
        };
        self.is_begun = true;
        self.written += found.found.len();
        self.search = found.rest.filter(|_| self.written < MOST).map(|rest| QuestionSearch {
            before: Some(rest),
            ..search
        });
        Some((Ok(Bytes::from(piece)), self))
    }
}

fn lines(rows: impl Iterator<Item = [String; COLUMNS.len()]>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Writing into memory does not fail.
        let _ = writer.write_record(row.map(|cell| harmless(&cell)));
    }
    writer
        .into_inner()
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

fn row(question: &FoundQuestion, is_masked: bool) -> [String; COLUMNS.len()] {
    let record = &question.record;
    [
        full_time(question.id.made_at()),
        question.app.clone(),
        question.person.clone(),
        match is_masked {
            true => masked(&record.text),
            false => record.text.clone(),
        },
        record.language.clone(),
        record.decision.clone(),
        record.scenarios.join(" "),
        format!("{:.3}", record.confidence),
        record.micros.to_string(),
        record.knowledge_version.clone(),
    ]
}

/// A spreadsheet takes what begins so for a formula, and carries it out.
fn harmless(cell: &str) -> String {
    let begins_formula = cell
        .trim_start()
        .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    match begins_formula || cell.starts_with(['\t', '\r', '\n']) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "＝1", "\n-1"] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        assert_eq!(harmless("加好友=频繁"), "加好友=频繁");
    }
}

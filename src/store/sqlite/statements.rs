//! Statements that nearly every message runs, prepared once and held for as long as the connection is.
//!
//! The connection's own cache finds a statement by its text and empties it after each use, which takes about as long as running it.

use std::cell::RefCell;
use std::ops::Deref;

use rusqlite::{Connection, PrepFlags, Statement};

/// A connection with the statements that are held for it.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    held: RefCell<Vec<(&'static str, Statement<'c>)>>,
}

impl<'c> Statements<'c> {
    pub(super) fn on(connection: &'c Connection) -> Self {
        Self {
            connection,
            held: RefCell::default(),
        }
    }

    /// Runs a statement that is held, or is from now on. The text stands for it by where it is, so each should be written in one place.
    pub(super) fn run<T>(
        &self,
        sql: &'static str,
        run: impl FnOnce(&mut Statement<'c>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, rusqlite::Error> {
        let held = self.take(sql);
        let mut statement = held.map_or_else(|| self.prepared(sql), Ok)?;
        let result = run(&mut statement);
        self.held.borrow_mut().push((sql, statement));
        result
    }

    fn prepared(&self, sql: &str) -> Result<Statement<'c>, rusqlite::Error> {
        self.connection
            .prepare_with_flags(sql, PrepFlags::SQLITE_PREPARE_PERSISTENT)
    }

    fn take(&self, sql: &'static str) -> Option<Statement<'c>> {
        let mut held = self.held.borrow_mut();
        let place = held.iter().position(|(text, _)| std::ptr::eq(*text, sql))?;
        Some(held.swap_remove(place).1)
    }
}

impl Deref for Statements<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_prepared_once_and_is_held_after_an_error() {
        let connection = Connection::open_in_memory().unwrap();
        let (statements, sql) = (Statements::on(&connection), "SELECT ?1");
        let ask = |value: i64| {
            statements.run(sql, |statement| {
                statement.query_row([value], |row| row.get::<_, i64>(0))
            })
        };
        assert_eq!(ask(1), Ok(1));
        assert!(statements.run(sql, |statement| statement.execute([1, 2])).is_err());
        assert_eq!(ask(2), Ok(2));
        assert_eq!(statements.held.borrow().len(), 1);
    }

    #[test]
    fn a_statement_can_run_within_itself() {
        let connection = Connection::open_in_memory().unwrap();
        let (statements, sql) = (Statements::on(&connection), "SELECT ?1");
        let sum = statements.run(sql, |outer| {
            let inner = statements.run(sql, |inner| inner.query_row([1], |row| row.get::<_, i64>(0)))?;
            outer.query_row([2], |row| row.get::<_, i64>(0).map(|value| value + inner))
        });
        assert_eq!(sum, Ok(3));
    }
}

//! What the bot makes of questions, measured against labels and against what other knowledge makes of them.

mod answered;
mod change;
mod measured;
mod rows;

pub use answered::AnsweredQuestion;
pub use change::Change;
pub use measured::Measured;
pub use rows::{Label, Row, rows_of};

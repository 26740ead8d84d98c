//! A question on its way to a judgement. Each step is taken once, whoever asks for what comes of it.

use std::cell::OnceCell;

use super::decision::Judgement;
use super::matcher::Matcher;
use super::meaning::is_english;
use super::normalise::Spelled;
use super::reading::Reading;

/// What somebody wrote, as the matcher reads it.
pub struct Question<'m, 't> {
    matcher: &'m Matcher,
    text: &'t str,
    pub(super) spelled: Spelled,
    read: OnceCell<Read>,
}

/// What of a question goes into matching, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) essence: String,
    pub(super) reading: Reading,
}

impl Matcher {
    /// Spells a question, so that it can be judged and looked at.
    pub fn question<'m, 't>(&'m self, text: &'t str) -> Question<'m, 't> {
        Question {
            matcher: self,
            text,
            spelled: self.normaliser.spelled(text),
            read: OnceCell::new(),
        }
    }

    /// Understands a question as far as it can be understood without a conversation.
    pub fn judge(&self, question: &str) -> Judgement<'_> {
        self.question(question).judge()
    }
}

impl<'m, 't> Question<'m, 't> {
    /// What reads it.
    pub fn matcher(&self) -> &'m Matcher {
        self.matcher
    }

    /// The text as it was written.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The one spelling of the text: width, case, script, repeated marks, spaces, numbers, aliases. Punctuation and fillers are kept.
    pub fn normalised(&self) -> &str {
        &self.spelled.normalised
    }

    /// The one spelling of what the text does not deny: "不是第一次，是第二次" says 第二次.
    pub fn asserted(&self) -> &str {
        self.spelled.asserted()
    }

    /// Whether the text is Chinese typed in pinyin, with hardly anything else in it.
    pub fn is_typed_in_pinyin(&self) -> bool {
        self.read().reading.is_typed_pinyin() && !is_english(self.text)
    }

    /// Understands the question as far as it can be understood without a conversation.
    pub fn judge(&self) -> Judgement<'m> {
        self.matcher.judge_question(self)
    }

    pub(super) fn read(&self) -> &Read {
        self.read.get_or_init(|| {
            let essence = self.matcher.normaliser.essence(&self.spelled);
            Read {
                reading: Reading::of(&essence),
                essence,
            }
        })
    }
}

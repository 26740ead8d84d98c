//! Traditional characters for those who write them. The knowledge is written in simplified characters.

use std::sync::LazyLock;

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;

/// Read when the first person writes in traditional characters; without its dictionary everybody reads simplified ones.
static DICTIONARY: LazyLock<Option<OpenCC>> = LazyLock::new(|| OpenCC::from_config(BuiltinConfig::S2tw).ok());

/// A simplified text in traditional characters.
pub(super) fn in_traditional_characters(text: &str) -> String {
    match DICTIONARY.as_ref() {
        Some(dictionary) => dictionary.convert(text),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_decide_which_character_it_is() {
        assert_eq!(
            in_traditional_characters("群里发不了消息，头发都白了"),
            "群裡發不了消息，頭髮都白了"
        );
        assert_eq!(in_traditional_characters("賬號"), "賬號");
    }
}

//! What a message says without what names somebody: telephone and account numbers, addresses, ids.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// So many digits in one word are a number of somebody's, not a count of group members or a date.
const DIGITS_OF_A_NUMBER: usize = 5;

/// What stands for what is masked.
const MASK: &str = "•••";

/// A text in which words of Latin letters and digits that may name somebody are reduced to their first character.
pub(super) fn masked(text: &str) -> String {
    let first_alone = |word: &str| word.chars().take(1).chain(MASK.chars()).collect();
    with_names_as(text, first_alone)
}

/// A text without those words, in one line, as an example question is written.
pub(super) fn without_names(text: &str) -> String {
    let without = with_names_as(text, |_| " ".to_owned());
    without.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn with_names_as(text: &str, instead: impl Fn(&str) -> String) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut word = String::new();
    let put = |shown: &mut String, word: &str| match names_somebody(word) {
        true => shown.push_str(&instead(word)),
        false => shown.push_str(word),
    };
    for letter in text.chars() {
        match is_of_names(letter) {
            true => word.push(letter),
            false => {
                put(&mut shown, &word);
                word.clear();
                shown.push(letter);
            }
        }
    }
    put(&mut shown, &word);
    shown
}

/// Letters of any script but Chinese, in which names have no blanks around them.
fn is_of_names(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "@_-.+".contains(letter) || letter.is_numeric()
}

fn names_somebody(word: &str) -> bool {
    let digits = word.chars().filter(|letter| letter.is_numeric()).count();
    digits >= DIGITS_OF_A_NUMBER || word.contains('@') || word.contains('_')
}

/// A message as it is stored, in JSON or XML, in which also the ids of people are masked: in a text nothing tells them from words.
pub(super) fn masked_content(content: &str) -> String {
    let Some(ids) = &*IDS else {
        return MASK.to_owned();
    };
    let without_ids = ids.replace_all(content, |id: &Captures<'_>| {
        let part = |number| id.get(number).map_or("", |part| part.as_str());
        format!("{}{}", part(1), masked_id(part(2)))
    });
    masked(&without_ids)
}

static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = "(?i:touser|from_?username|user_?id|external_?userid|servicer_?userid)";
    Regex::new(&format!(r#"("{name}"\s*:\s*"|<{name}>\s*(?:<!\[CDATA\[)?)([^"<\]]+)"#)).ok()
});

/// A user id: its first two characters, and never all of it.
pub(super) fn masked_id(user_id: &str) -> String {
    let most = user_id.chars().count().saturating_sub(1).min(2);
    let shown: String = user_id.chars().take(most).collect();
    format!("{shown}{MASK}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_messages_name_nobody() {
        for (content, shown) in [
            (
                r#"{"touser":"zhangsan","text":{"content":"你好"}}"#,
                r#"{"touser":"zh•••","text":{"content":"你好"}}"#,
            ),
            (r#"{"external_userid": "wmAbc"}"#, r#"{"external_userid": "wm•••"}"#),
            (
                "<FromUserName><![CDATA[LiXiaoyu]]></FromUserName><UserID>li</UserID>",
                "<FromUserName><![CDATA[Li•••]]></FromUserName><UserID>l•••</UserID>",
            ),
            ("13800138000", "1•••"),
        ] {
            assert_eq!(masked_content(content), masked(shown));
        }
    }

    #[test]
    fn numbers_addresses_and_ids_are_masked_and_the_question_stays() {
        for (text, shown) in [
            ("我的手机13800138000加不了人", "我的手机1•••加不了人"),
            ("微信号wxid_abc12 被封了", "微信号w••• 被封了"),
            ("发到 li.ming@example.com 吧", "发到 l••• 吧"),
            ("群满500人，11月22日到期，第2次", "群满500人，11月22日到期，第2次"),
            ("１３８００１３８０００", "１•••"),
            (
                "WeCom can't add friends since 11-22",
                "WeCom can't add friends since 11-22",
            ),
            ("", ""),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn an_example_question_has_no_names_and_one_line() {
        for (text, example) in [
            ("我的手机 13800138000 加不了人\n怎么办", "我的手机 加不了人 怎么办"),
            ("微信号wxid_abc12被封了", "微信号 被封了"),
            ("第2次被封", "第2次被封"),
            ("li.ming@example.com", ""),
        ] {
            assert_eq!(without_names(text), example);
        }
    }

    #[test]
    fn a_user_id_is_never_shown_whole() {
        assert_eq!(
            ["zhangsan", "ab", "a", ""].map(masked_id),
            ["zh•••", "a•••", "•••", "•••"]
        );
    }
}

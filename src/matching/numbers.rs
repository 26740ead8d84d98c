//! Chinese numerals to digits, where they count something: 两百 and 200, 第二次 and 第2次 become the same.

use std::borrow::Cow;

/// What can be counted with a single numeral. 个 and 人 are missing on purpose: 一个 and 一人 are seldom a number.
const UNITS: &[char] = &['次', '回', '天', '周', '年', '级', '遍', '月', '小'];

/// Longer runs are no numbers that a person would write.
const LONGEST: usize = 9;

/// Writes the numerals of a text as digits.
pub(super) fn with_digits(text: &str) -> Cow<'_, str> {
    let mut written = String::new();
    let mut done = 0;
    let mut rest = text;
    while let Some(length) = rest.find(is_numeral) {
        let run = rest.get(length..).unwrap_or_default();
        rest = run.trim_start_matches(is_numeral);
        let run = run.strip_suffix(rest).unwrap_or_default();
        if let Some(value) = value_of(run).filter(|_| counts_something(run, rest)) {
            let end = text.len() - rest.len();
            written.push_str(text.get(done..end - run.len()).unwrap_or_default());
            written.push_str(&value.to_string());
            done = end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    written.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(written)
}

/// 二百 is a number wherever it stands, 一 only before a unit (一直, 一下, 万一 are words).
fn counts_something(run: &str, after: &str) -> bool {
    run.chars().nth(1).is_some() || after.starts_with(UNITS)
}

/// The value of a numeral such as 两百五十; none for runs that are no proper numeral (七八十, 三五).
fn value_of(run: &str) -> Option<u32> {
    if run.chars().nth(LONGEST).is_some() {
        return None;
    }
    let mut total = 0;
    let mut digit = None;
    let mut last_scale = 10_000;
    for (position, character) in run.char_indices() {
        if let Some(value) = digit_value(character) {
            // Two digits in a row are a list or a guess, unless the first is a silent zero.
            if digit.is_some_and(|before| before != 0) {
                return None;
            }
            digit = Some(value);
        } else {
            let scale = scale_value(character)?;
            let factor = digit.take().or((position == 0 && scale == 10).then_some(1))?;
            if factor == 0 || scale >= last_scale {
                return None;
            }
            total += factor * scale;
            last_scale = scale;
        }
    }
    Some(total + digit.unwrap_or(0))
}

fn is_numeral(character: char) -> bool {
    digit_value(character).is_some() || scale_value(character).is_some()
}

fn digit_value(character: char) -> Option<u32> {
    Some(match character {
        '零' | '〇' => 0,
        '一' => 1,
        '二' | '两' => 2,
        '三' => 3,
        '四' => 4,
        '五' => 5,
        '六' => 6,
        '七' => 7,
        '八' => 8,
        '九' => 9,
        _ => return None,
    })
}

fn scale_value(character: char) -> Option<u32> {
    Some(match character {
        '十' => 10,
        '百' => 100,
        '千' => 1000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::with_digits;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(with_digits(text), expected);
    }

    #[test]
    fn numbers_become_digits() {
        check("两百人", "200人");
        check("超过五百", "超过500");
        check("二十四小时", "24小时");
        check("十五天", "15天");
        check("一百零五", "105");
        check("第二次", "第2次");
        check("封三天", "封3天");
        check("一千二百", "1200");
    }

    #[test]
    fn words_with_numerals_stay() {
        check("一直加不了", "一直加不了");
        check("万一", "万一");
        check("千万别", "千万别");
        check("一个都加不上", "一个都加不上");
        check("七八十个", "七八十个");
        check("三五天", "三五天");
        check("百分百", "百分百");
        check("十分着急", "十分着急");
    }
}

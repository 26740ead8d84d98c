//! What the numbers mean with which WeCom refuses a call, and what to do about them (doc/90313).
//!
//! [`app`] has the codes of apps, [`kf`] those of 微信客服. The number alone decides; WeCom's own words may change and may repeat what
//! was sent, so they are neither matched nor shown.

mod app;
mod kf;

use crate::knowledge::{Bilingual, Language};

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handling {
    /// The same call again after a pause, three times at most.
    Retry,
    /// A new access token, then the same call once more.
    RefreshToken,
    /// Nothing until a pause is over; what was to be sent is kept.
    Wait,
    /// Only the admin can mend it, in the console or the configuration; repeating it changes nothing.
    TellAdmin,
    /// This recipient cannot be reached: drop it and go on with the others.
    Recipient,
    /// 微信客服: time window, number of messages or state of the session forbid a message to this customer.
    Customer,
    /// 微信客服: the session is in another state than was thought; read it again.
    StateChanged,
    /// 微信客服: this person cannot take the session now; choose another.
    AnotherServicer,
    /// 微信客服: the token of the callback is of no use; read with the cursor alone.
    DropCallbackToken,
    /// The content was stopped by an inspection: never the same again, and tell the admin.
    Content,
    /// The request is wrong: a mistake of the program or of what it was given. Never the same again.
    Defect,
    /// The file has to be uploaded again.
    UploadAgain,
    /// The card, the message or the code is too old or was used already; a normal thing, to be given up.
    TooLate,
    /// The person has to open the link again.
    LogInAgain,
    /// Nothing is wrong.
    Harmless,
    /// A number that is not on file: no repetition, tell the admin.
    Unknown,
}

impl Handling {
    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::RefreshToken => "refresh_token",
            Self::Wait => "wait",
            Self::TellAdmin => "tell_admin",
            Self::Recipient => "recipient",
            Self::Customer => "customer",
            Self::StateChanged => "state_changed",
            Self::AnotherServicer => "another_servicer",
            Self::DropCallbackToken => "drop_callback_token",
            Self::Content => "content",
            Self::Defect => "defect",
            Self::UploadAgain => "upload_again",
            Self::TooLate => "too_late",
            Self::LogInAgain => "log_in_again",
            Self::Harmless => "harmless",
            Self::Unknown => "unknown",
        }
    }
}

/// A code on file.
#[derive(Debug)]
pub struct CodeMeaning {
    /// The number.
    pub code: i64,
    /// What to do.
    pub handling: Handling,
    meaning: Bilingual<&'static str>,
}

/// A row of the tables.
const fn row(code: i64, handling: Handling, zh: &'static str, en: &'static str) -> CodeMeaning {
    let meaning = Bilingual { zh, en };
    CodeMeaning {
        code,
        handling,
        meaning,
    }
}

/// Every code on file.
pub fn all() -> impl Iterator<Item = &'static CodeMeaning> {
    app::CODES.iter().chain(kf::CODES)
}

/// The codes about licences of third-party apps, which are not told apart.
const LICENCE: std::ops::RangeInclusive<i64> = 701_001..=701_099;

fn find(code: i64) -> Option<&'static CodeMeaning> {
    let code = if LICENCE.contains(&code) {
        *LICENCE.start()
    } else {
        code
    };
    all().find(|meaning| meaning.code == code)
}

/// What to do about a code.
pub fn handling(code: i64) -> Handling {
    find(code).map_or(Handling::Unknown, |meaning| meaning.handling)
}

/// What a code means and what to do, in sentences for the admin.
pub fn explanation(code: i64, language: Language) -> String {
    match find(code) {
        Some(found) => found.explanation(language),
        None => unknown(code, language),
    }
}

impl CodeMeaning {
    /// What it means and what to do, in sentences for the admin.
    pub fn explanation(&self, language: Language) -> String {
        let (meaning, advice) = (*self.meaning.get(language), *self.handling.advice().get(language));
        match (advice.is_empty(), language) {
            (true, _) => meaning.to_owned(),
            (false, Language::English) => format!("{meaning} {advice}"),
            (false, _) => format!("{meaning}{advice}"),
        }
    }
}

fn unknown(code: i64, language: Language) -> String {
    let page = format!("https://open.work.weixin.qq.com/devtool/query?e={code}");
    match language {
        Language::English => format!("This program does not know the code. Look it up at {page}"),
        Language::Chinese | Language::TraditionalChinese => format!("程序不认识这个错误码，请到官方查询页查看：{page}"),
    }
}

impl Handling {
    /// What to do, where it is the same for all codes handled so; empty where every code has its own advice.
    fn advice(self) -> Bilingual<&'static str> {
        let (zh, en) = match self {
            Self::Retry => ("程序会自动重试。", "The program tries again by itself."),
            Self::RefreshToken => (
                "程序会换一个新的 access_token 再试一次；若反复出现，请检查是否有别的程序也在用这个 Secret 取 access_token。",
                "The program fetches a new one and tries once more. If it recurs, check whether another program fetches tokens with \
                 the same Secret.",
            ),
            Self::Wait => (
                "程序会停一段时间再调用，消息先留着。",
                "The program pauses this call and keeps what is to be sent.",
            ),
            Self::Recipient => (
                "跳过这个人；如果他应该收到，请在管理后台 → 应用管理 → 该应用 → 可见范围里加上他。",
                "This person is left out. If they should be reached, add them in the admin console under 应用管理 → the app → 可见范围.",
            ),
            Self::StateChanged => (
                "程序会重新读取会话状态。",
                "The program reads the state of the session again.",
            ),
            Self::AnotherServicer => (
                "请换一位正在接待的接待人员，或在管理后台 → 微信客服里检查接待人员。",
                "Choose somebody who is receiving, or check the 接待人员 in the admin console under 微信客服.",
            ),
            Self::DropCallbackToken => (
                "程序会不带这个 token 再读一次。",
                "The program reads once more without it.",
            ),
            Self::Content => (
                "请勿原样重发，请检查并修改这段文字。",
                "Do not send the same again; check and change the words.",
            ),
            Self::Defect => (
                "请求本身有误，重试没有用；请把错误码和时间反馈给维护这个程序的人。",
                "The request itself is wrong and repeating it is of no use; report the code and the time to whoever maintains this program.",
            ),
            Self::UploadAgain => ("需要重新上传文件。", "The file has to be uploaded again."),
            Self::TooLate => (
                "属正常情况，放弃这一次即可。",
                "This is normal; this one attempt is given up.",
            ),
            Self::LogInAgain => ("请让成员重新打开链接。", "The member has to open the link again."),
            Self::Harmless => ("无需处理。", "There is nothing to do."),
            Self::TellAdmin | Self::Customer | Self::Unknown => ("", ""),
        };
        Bilingual { zh, en }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_on_file_once() {
        let mut codes: Vec<i64> = all().map(|meaning| meaning.code).collect();
        codes.sort_unstable();
        let twice: Vec<&[i64]> = codes.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn every_code_is_explained_in_both_languages() {
        let has_han = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
        for found in all() {
            let (zh, en) = (
                found.explanation(Language::Chinese),
                found.explanation(Language::English),
            );
            assert!(has_han(&zh) && zh.ends_with('。'), "{}: {zh}", found.code);
            assert!(en.len() > 20 && en.ends_with('.'), "{}: {en}", found.code);
            assert!(!en.contains("  ") && !zh.contains("  "), "{}: {en}", found.code);
        }
    }

    #[test]
    fn an_unknown_code_leads_to_the_official_page() {
        assert_eq!(handling(123_456), Handling::Unknown);
        for language in [Language::Chinese, Language::English] {
            assert!(explanation(123_456, language).contains("devtool/query?e=123456"));
        }
    }

    #[track_caller]
    fn check(code: i64, expected: Handling) {
        assert_eq!(handling(code), expected, "{code}");
    }

    #[test]
    fn the_codes_that_the_bot_lives_with_are_handled_as_documented() {
        check(-1, Handling::Retry);
        check(6000, Handling::Retry);
        check(40001, Handling::TellAdmin);
        check(40014, Handling::RefreshToken);
        check(42001, Handling::RefreshToken);
        check(45009, Handling::Wait);
        check(60020, Handling::TellAdmin);
        check(81013, Handling::Recipient);
        check(60140, Handling::TooLate);
        check(40007, Handling::UploadAgain);
        check(44004, Handling::Defect);
        check(48007, Handling::TellAdmin);
        check(95001, Handling::Customer);
        check(95002, Handling::Customer);
        check(95007, Handling::DropCallbackToken);
        check(95016, Handling::StateChanged);
        check(95018, Handling::Customer);
    }
}

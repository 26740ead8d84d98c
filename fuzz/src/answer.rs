//! What comes back from WeCom's API, or from whatever stands in its place.

use jiefeng::channels::kf::fetched;
use jiefeng::knowledge::Language;
use jiefeng::protocol::kf::KfItem;
use jiefeng::wecom::app::{Agent, SendReceipt};
use jiefeng::wecom::kf::{Customer, KfAccount, ServiceState, Servicer, SyncPage};
use jiefeng::wecom::{Api, ApiError, Refusal, read_answer, read_token};
use jiff::SignedDuration;
use serde_json::Value;

/// Where the page before has ended.
const CURSOR: &str = "cursor-before";

/// The body of an answer. What is no JSON object with a whole number is none; a refusal tells its code and no words; and what a call reads
/// of an answer is what stands there.
pub fn answer(data: &[u8]) {
    let value = serde_json::from_slice::<Value>(data).ok().filter(Value::is_object);
    let code = value
        .as_ref()
        .map(|value| value.get("errcode").map_or(Some(0), Value::as_i64));
    match (read_answer(data), value, code.flatten()) {
        (Ok(Ok(answer)), Some(value), Some(0)) => {
            assert_eq!(answer, value);
            read_by_all(&answer);
        }
        (Ok(Err(refusal)), Some(value), Some(code)) if code != 0 => {
            assert_eq!(refusal.code, code);
            check_refusal(refusal, value.get("errmsg").and_then(Value::as_str).unwrap_or_default());
        }
        (Err(_), _, None) => {}
        (read, _, code) => panic!("{code:?} became {read:?}"),
    }
}

/// Nothing of the words that came with a code is told but an address.
fn check_refusal(refusal: Refusal, said: &str) {
    let (code, from_ip) = (refusal.code, refusal.from_ip);
    assert!(from_ip.is_none() || said.contains("from ip:"));
    let told = |refusal| ApiError::Refused {
        api: Api::MessageSend,
        refusal,
        after_unclear_attempt: false,
    };
    let wordless = Refusal { code, from_ip: None };
    for language in [Language::Chinese, Language::English] {
        let explanation = told(refusal).explanation(language);
        let shown = from_ip.map(|ip| ip.to_string()).unwrap_or_default();
        assert!(explanation.contains(&code.to_string()) && explanation.contains(&shown));
        assert!(from_ip.is_some() || explanation == told(wordless).explanation(language));
    }
}

/// Whatever call it answers.
fn read_by_all(answer: &Value) {
    if let Ok((_, life)) = read_token(answer) {
        assert!(answer["access_token"].as_str().is_some_and(|token| !token.is_empty()));
        assert!(life > SignedDuration::ZERO && life <= SignedDuration::from_hours(24));
    }
    if let Ok(page) = SyncPage::read(answer.clone(), Some(CURSOR)) {
        check_page(answer, page);
    }
    if let Ok(state) = ServiceState::read(answer.clone()) {
        let number = answer["service_state"].as_i64();
        assert_eq!(state.lets_bot_send(), matches!(number, Some(0 | 1)));
        assert!(matches!(number, Some(0..=4)));
    }
    check_lists(answer);
    let receipt = SendReceipt::read(answer);
    assert!(receipt.response_code.is_none_or(|code| !code.is_empty()));
    let is_name = |member: &str| !member.is_empty() && !member.contains('|') && member == member.to_ascii_lowercase();
    assert!(receipt.not_reached.iter().all(|member| is_name(member)));
    let _ = Agent::read(answer.clone());
}

/// Nothing of a page is left out, and reading goes on where it has ended, never from the beginning.
fn check_page(answer: &Value, page: SyncPage) {
    let listed = answer.get("msg_list").and_then(Value::as_array);
    assert_eq!(Some(&page.messages), listed.or(Some(&Vec::new())));
    let cursor = answer.get("next_cursor").and_then(Value::as_str).unwrap_or_default();
    assert_eq!(page.next_cursor, if cursor.is_empty() { CURSOR } else { cursor });
    assert!(!page.next_cursor.is_empty());
    for raw in &page.messages {
        let kept = fetched(raw, KfItem::read(raw), |_| "of its content".to_owned());
        assert!(!kept.key.is_empty());
    }
}

/// A list is read whole or not at all.
fn check_lists(answer: &Value) {
    let length = |name: &str| answer.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    if let Ok(servicers) = Servicer::read_list(answer.clone()) {
        assert_eq!(servicers.len(), length("servicer_list"));
        for (place, servicer) in servicers.iter().enumerate() {
            let item = &answer["servicer_list"][place];
            match servicer {
                Servicer::Member { user_id, is_receiving } => {
                    assert_eq!(item["userid"].as_str(), Some(&**user_id));
                    assert_eq!(*is_receiving, item["status"].as_i64() == Some(0));
                }
                Servicer::Department { department_id } => {
                    assert_eq!(item["department_id"].as_i64(), Some(*department_id));
                }
            }
        }
    }
    if let Ok(accounts) = KfAccount::read_list(answer.clone()) {
        assert_eq!(accounts.len(), length("account_list"));
    }
    if let Ok(customers) = Customer::read_list(answer.clone()) {
        assert_eq!(customers.len(), length("customer_list"));
    }
}

//! Known answers: the vectors of official pages, official samples and well-known libraries, and what may not be accepted of them.

#![expect(clippy::string_slice, reason = "test texts are cut at known places")]

use proptest::prelude::*;
use serde::Deserialize;

use super::crypto::{CallbackToken, Credentials, DecryptError, EncodingAesKey, Fresh, KeyError, Signature, TokenError};
use super::envelope::{Envelope, WireFormat, open_reply, seal_callback, seal_reply, seal_verification};
use super::event::{ContactChange, Event, MenuKind};
use super::message::{Content, IncomingMessage, MessageError, UserId};
use super::query::{Nonce, Seconds, SignedQuery, VerificationQuery};
use super::xml::read_xml;

#[derive(Deserialize)]
struct Vector {
    token: String,
    encoding_aes_key: String,
    receive_id: String,
    timestamp: String,
    nonce: String,
    msg_signature: String,
    ciphertext: String,
    plaintext: String,
    random_prefix_hex: String,
}

impl Vector {
    fn credentials(&self) -> Credentials {
        let token = CallbackToken::parse(&self.token).unwrap();
        Credentials::new(
            token,
            EncodingAesKey::parse(&self.encoding_aes_key).unwrap(),
            &*self.receive_id,
        )
    }

    fn random_prefix(&self) -> [u8; 16] {
        let digits = self.random_prefix_hex.as_bytes().chunks(2);
        let bytes: Vec<u8> = digits
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        bytes.try_into().unwrap()
    }

    fn signature_is_good(&self, nonce: &str, ciphertext: &str) -> bool {
        let (timestamp, nonce) = (Seconds::parse(&self.timestamp).unwrap(), Nonce::parse(nonce).unwrap());
        let expected = self.credentials().signature(&timestamp, &nonce, ciphertext);
        Signature::parse(&self.msg_signature).unwrap().matches(&expected)
    }
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../tests/data/wecom-crypto-vectors.json")).unwrap()
}

#[test]
fn all_vectors_verify_decrypt_and_encrypt_to_the_same_bytes() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 13);
    for (number, vector) in (1..).zip(&vectors) {
        assert!(
            vector.signature_is_good(&vector.nonce, &vector.ciphertext),
            "signature of vector {number}"
        );
        let credentials = vector.credentials();
        assert_eq!(
            credentials.decrypt(&vector.ciphertext).as_ref(),
            Ok(&vector.plaintext),
            "vector {number}"
        );
        assert_eq!(
            credentials.encrypt(&vector.plaintext, vector.random_prefix()),
            vector.ciphertext,
            "vector {number}"
        );
    }
}

#[test]
fn the_encryption_vector_of_an_independent_library_is_met() {
    let key = EncodingAesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    let credentials = Credentials::new(CallbackToken::parse("x").unwrap(), key, "wxb11529c136998cb6");
    let expected = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==";
    assert_eq!(credentials.encrypt("我是中文abcd123", *b"aaaabbbbccccdddd"), expected);
}

#[test]
fn another_nonce_is_refused() {
    let vector = &vectors()[4];
    assert!(vector.signature_is_good("437374425", &vector.ciphertext));
    assert!(!vector.signature_is_good("437374424", &vector.ciphertext));
}

#[test]
fn another_receive_id_is_refused_with_a_good_signature() {
    let vector = &vectors()[4];
    let other = Credentials::new(
        CallbackToken::parse(&vector.token).unwrap(),
        EncodingAesKey::parse(&vector.encoding_aes_key).unwrap(),
        "ww0000000000000000",
    );
    assert_eq!(other.decrypt(&vector.ciphertext), Err(DecryptError::ReceiveId));
}

#[test]
fn keys_with_spare_bits_are_the_same_as_their_canonical_twins() {
    let twin = |key: &str, last: &str| EncodingAesKey::parse(&format!("{}{last}", &key[..42])).unwrap();
    for (vector, canonical) in vectors().iter().zip(["A", "A", "s", "s", "Q", "Q", "Q", "s", "M", "M"]) {
        let key = &vector.encoding_aes_key;
        assert_eq!(EncodingAesKey::parse(key).unwrap(), twin(key, canonical));
    }
}

#[test]
fn wrong_keys_and_tokens_say_what_is_wrong() {
    let key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    assert_eq!(EncodingAesKey::parse(&format!("{key} ")).unwrap_err(), KeyError::Blank);
    assert_eq!(EncodingAesKey::parse(&key[1..]).unwrap_err(), KeyError::Length(42));
    assert_eq!(
        EncodingAesKey::parse(&key.replace('7', "+")).unwrap_err(),
        KeyError::Character
    );
    assert_eq!(CallbackToken::parse("").unwrap_err(), TokenError::Empty);
    assert_eq!(CallbackToken::parse(key).unwrap_err(), TokenError::TooLong(43));
    assert_eq!(CallbackToken::parse("a b").unwrap_err(), TokenError::Character);
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    for vector in vectors() {
        let shown = format!("{:?}", vector.credentials());
        assert!(
            !shown.contains(&vector.token) && !shown.contains(&vector.encoding_aes_key),
            "{shown}"
        );
    }
}

#[test]
fn the_vendors_samples_are_recognised() {
    let samples: Vec<bool> = vectors()
        .iter()
        .map(|vector| {
            let token = CallbackToken::parse(&vector.token).unwrap();
            let key = EncodingAesKey::parse(&vector.encoding_aes_key).unwrap();
            assert_eq!(token.is_published_sample(), key.is_published_sample());
            token.is_published_sample()
        })
        .collect();
    assert_eq!(samples.iter().filter(|is_sample| **is_sample).count(), 5);
    assert!(!samples[4]);
}

#[test]
fn ciphertexts_that_are_not_canonical_whole_blocks_are_refused() {
    let credentials = vectors()[0].credentials();
    let ciphertext = &vectors()[0].ciphertext;
    assert_eq!(credentials.decrypt(""), Err(DecryptError::BlockLength));
    assert_eq!(credentials.decrypt("AAAA"), Err(DecryptError::BlockLength));
    assert_eq!(
        credentials.decrypt(ciphertext.trim_end_matches('=')),
        Err(DecryptError::Base64)
    );
    assert_eq!(
        credentials.decrypt(&ciphertext.replacen("Q==", "R==", 1)),
        Err(DecryptError::Base64)
    );
    assert_eq!(
        credentials.decrypt(&format!("{ciphertext} ")),
        Err(DecryptError::Base64)
    );
    assert_eq!(
        credentials.decrypt(&format!("{}\n{}", &ciphertext[..4], &ciphertext[4..])),
        Err(DecryptError::Base64)
    );
}

#[test]
fn every_shortening_by_blocks_is_refused() {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD;
    for vector in vectors() {
        let bytes = base64.decode(&vector.ciphertext).unwrap();
        for length in (16..bytes.len()).step_by(16) {
            assert!(vector.credentials().decrypt(&base64.encode(&bytes[..length])).is_err());
        }
    }
}

fn fresh() -> Fresh {
    Fresh {
        random_prefix: [7; 16],
        nonce: Nonce::parse("abc-1").unwrap(),
        timestamp: Seconds::parse("1700000000").unwrap(),
    }
}

#[test]
fn a_sealed_reply_opens_in_both_formats() {
    let credentials = vectors()[7].credentials();
    for format in [WireFormat::Xml, WireFormat::Json] {
        let sealed = seal_reply(&credentials, format, "<xml>你好]]></xml>", &fresh());
        assert_eq!(open_reply(&credentials, &sealed).unwrap(), "<xml>你好]]></xml>");
        assert!(open_reply(&vectors()[8].credentials(), &sealed).is_err());
    }
}

#[test]
fn a_sealed_callback_passes_the_checks_of_the_receiver() {
    let credentials = vectors()[7].credentials();
    for format in [WireFormat::Xml, WireFormat::Json] {
        let sealed = seal_callback(&credentials, format, "message", "1000002", &fresh());
        let query = SignedQuery::parse(&sealed.query).unwrap();
        let envelope = Envelope::parse(&sealed.body).unwrap();
        let expected = credentials.signature(&query.timestamp, &query.nonce, &envelope.encrypted);
        assert!(query.signature.matches(&expected));
        assert_eq!(credentials.decrypt(&envelope.encrypted).unwrap(), "message");
    }
    let verification = seal_verification(&credentials, "94966531020182955848408", &fresh());
    let query = VerificationQuery::parse(&verification.query).unwrap();
    assert_eq!(credentials.decrypt(&query.echo).unwrap(), "94966531020182955848408");
}

fn message(inner: &str) -> IncomingMessage {
    let plaintext = format!(
        "<xml><ToUserName><![CDATA[ww1]]></ToUserName><FromUserName><![CDATA[LiSi]]></FromUserName>\
         <CreateTime>1700000000</CreateTime><AgentID>1000002</AgentID>{inner}</xml>"
    );
    IncomingMessage::parse(&plaintext).unwrap()
}

fn event(inner: &str) -> Event {
    match message(&format!("<MsgType>event</MsgType>{inner}")).content {
        Content::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_message_kind_is_typed() {
    let kind = |inner: &str| message(&format!("{inner}<MsgId>4561255354251345929</MsgId>")).content;
    let msg_id = "4561255354251345929".to_owned();
    assert_eq!(
        kind("<MsgType>text</MsgType><Content><![CDATA[ 你好\n]]></Content>"),
        Content::Text {
            msg_id: msg_id.clone(),
            text: " 你好\n".into()
        }
    );
    assert!(
        matches!(kind("<MsgType>image</MsgType><PicUrl>p</PicUrl><MediaId>m</MediaId>"), Content::Image { media_id, .. } if media_id == "m")
    );
    assert!(
        matches!(kind("<MsgType>voice</MsgType><Format>amr</Format>"), Content::Voice { format, .. } if format == "amr")
    );
    assert!(
        matches!(kind("<MsgType>video</MsgType><ThumbMediaId>t</ThumbMediaId>"), Content::Video { thumbnail_media_id, .. } if thumbnail_media_id == "t")
    );
    assert!(
        matches!(kind("<MsgType>location</MsgType><Location_X>23.1</Location_X><Label>L</Label>"), Content::Location { latitude, .. } if latitude == 23.1)
    );
    assert!(
        matches!(kind("<MsgType>link</MsgType><Title>t</Title><Url>u</Url>"), Content::Link { url, .. } if &*url == "u")
    );
    assert!(
        matches!(kind("<MsgType>file</MsgType>"), Content::Unknown { message_type, raw, .. } if message_type == "file" && raw.contains("file"))
    );
}

#[test]
fn every_event_is_typed() {
    assert_eq!(event("<Event>subscribe</Event>"), Event::Subscribe);
    assert_eq!(event("<Event>unsubscribe</Event>"), Event::Unsubscribe);
    assert_eq!(event("<Event>enter_agent</Event><EventKey/>"), Event::EnterAgent);
    assert!(matches!(
        event("<Event>LOCATION</Event><Precision>65.0</Precision>"),
        Event::Location { precision: 65.0, .. }
    ));
    for name in [
        "inactive_alert",
        "low_active_alert",
        "close_inactive_agent",
        "reopen_inactive_agent",
        "low_active",
        "active_restored",
    ] {
        assert!(
            matches!(event(&format!("<Event>{name}</Event><EffectTime>1700000000</EffectTime>")),
                Event::Activity { change, effective_at: Some(1_700_000_000) } if change.name() == name),
            "{name}"
        );
    }
    assert_eq!(event("<Event>share_agent_change</Event>"), Event::ShareAgentChange);
    assert_eq!(event("<Event>share_chain_change</Event>"), Event::ShareChainChange);
    assert!(
        matches!(event("<Event>switch_workbench_mode</Event><Mode>1</Mode>"), Event::SwitchWorkbenchMode { mode } if mode == "1")
    );
    assert!(
        matches!(event("<Event>taskcard_click</Event><TaskId>t</TaskId>"), Event::TaskCardClick { task_id, .. } if task_id == "t")
    );
    assert!(
        matches!(event("<Event>kf_msg_or_event</Event><Token>T</Token><OpenKfId>wk1</OpenKfId>"), Event::KfMessageOrEvent { open_kf_id, .. } if open_kf_id == "wk1")
    );
    assert!(
        matches!(event("<Event>change_external_chat</Event><ChangeType>update</ChangeType>"), Event::ExternalChange { change_type, .. } if change_type == "update")
    );
    assert!(
        matches!(event("<Event>from_the_future</Event>"), Event::Unknown { event, raw } if event == "from_the_future" && raw.contains("LiSi"))
    );
}

#[test]
fn job_results_are_read_with_and_without_their_wrapper() {
    let inner = "<JobId>j</JobId><JobType>sync_user</JobType><ErrCode>7</ErrCode><ErrMsg>m</ErrMsg>";
    for inner in [inner.to_owned(), format!("<BatchJob>{inner}</BatchJob>")] {
        let event = event(&format!("<Event>batch_job_result</Event>{inner}"));
        assert!(matches!(event, Event::BatchJobResult { job_id, error_code: 7, .. } if job_id == "j"));
    }
}

#[test]
fn menu_events_keep_their_key() {
    let menu = |inner: &str| match event(&format!("{inner}<EventKey>K</EventKey>")) {
        Event::Menu(menu) if menu.key == "K" => menu.kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(menu("<Event>click</Event>"), MenuKind::Click);
    assert_eq!(menu("<Event>view</Event>"), MenuKind::View);
    assert_eq!(menu("<Event>view_miniprogram</Event>"), MenuKind::ViewMiniProgram);
    let scan = "<ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>1</ScanResult></ScanCodeInfo>";
    assert!(
        matches!(menu(&format!("<Event>scancode_waitmsg</Event>{scan}")), MenuKind::Scan { waits: true, result, .. } if &*result == "1")
    );
    assert!(matches!(
        menu(&format!("<Event>scancode_push</Event>{scan}")),
        MenuKind::Scan { waits: false, .. }
    ));
    for way in ["pic_sysphoto", "pic_photo_or_album", "pic_weixin"] {
        let kind = menu(&format!(
            "<Event>{way}</Event><SendPicsInfo><Count>2</Count></SendPicsInfo>"
        ));
        assert_eq!(
            kind,
            MenuKind::Pictures {
                way: way.to_owned(),
                count: 2
            }
        );
    }
    let place = "<Event>location_select</Event><SendLocationInfo><Location_X>1</Location_X><Poiname>P</Poiname></SendLocationInfo>";
    assert!(matches!(menu(place), MenuKind::LocationSelect { name, .. } if &*name == "P"));
}

#[test]
fn card_events_keep_what_was_chosen_in_both_spellings() {
    for (ids, id) in [("OptionIds", "OptionId"), ("OpitonIds", "OpitonId")] {
        let items = format!(
            "<SelectedItems><SelectedItem><QuestionKey>q</QuestionKey><{ids}><{id}>1</{id}><{id}>2</{id}></{ids}></SelectedItem></SelectedItems>"
        );
        let event = event(&format!(
            "<Event>template_card_event</Event><EventKey>k</EventKey><ResponseCode>r</ResponseCode>{items}"
        ));
        let Event::TemplateCard(card) = event else {
            panic!("{event:?}")
        };
        assert_eq!((card.key.as_str(), &*card.response_code), ("k", "r"));
        assert_eq!(card.selected[0].option_ids, ["1", "2"]);
    }
    assert!(matches!(
        event("<Event>template_card_menu_event</Event>"),
        Event::TemplateCardMenu(_)
    ));
}

#[test]
fn contact_changes_are_typed() {
    let change = |inner: &str| match event(&format!("<Event>change_contact</Event>{inner}")) {
        Event::ChangeContact(change) => change,
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(change("<ChangeType>create_user</ChangeType><UserID>u</UserID><Department>1,2</Department>"), ContactChange::CreateUser { departments, .. } if departments == ["1", "2"])
    );
    assert!(matches!(
        change("<ChangeType>update_user</ChangeType><NewUserID>n</NewUserID>"),
        ContactChange::UpdateUser {
            new_user_id: Some(_),
            ..
        }
    ));
    assert!(matches!(
        change("<ChangeType>delete_user</ChangeType><UserID>u</UserID>"),
        ContactChange::DeleteUser { .. }
    ));
    for name in ["create_party", "update_party", "delete_party"] {
        assert!(
            matches!(change(&format!("<ChangeType>{name}</ChangeType><Id>7</Id>")), ContactChange::Party { id, .. } if id == "7")
        );
    }
    assert!(
        matches!(change("<ChangeType>new</ChangeType><New>7</New>"), ContactChange::Unknown { change_type, raw } if change_type == "new" && raw.contains("<New>7</New>"))
    );
    let tag = "<ChangeType>update_tag</ChangeType><TagId>1</TagId><AddUserItems>a,b</AddUserItems><DelUserItems>c</DelUserItems>\
               <AddPartyItems>2,3</AddPartyItems><DelPartyItems>4</DelPartyItems>";
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(
        change(tag),
        ContactChange::UpdateTag {
            tag_id: "1".to_owned(),
            added_users: ids(&["a", "b"]),
            removed_users: ids(&["c"]),
            added_parties: ids(&["2", "3"]),
            removed_parties: ids(&["4"]),
        }
    );
}

#[test]
fn approvals_are_typed() {
    let own = "<Event>open_approval_change</Event><ApprovalInfo><ThirdNo>t</ThirdNo><OpenSpStatus>2</OpenSpStatus></ApprovalInfo>";
    assert!(matches!(event(own), Event::OpenApprovalChange { status: Some(2), .. }));
    let system = "<Event>sys_approval_change</Event><ApprovalInfo><SpNo>1</SpNo><SpNoStr>201</SpNoStr><StatuChangeEvent>10</StatuChangeEvent></ApprovalInfo>";
    assert!(matches!(event(system), Event::SystemApprovalChange { number, change: Some(10), .. } if number == "201"));
}

#[test]
fn a_json_message_is_the_same_as_its_xml() {
    let json = "{\"ToUserName\":\"ww1\",\"FromUserName\":\"LiSi\",\"CreateTime\":1700000000,\"MsgType\":\"text\",\
                \"Content\":\"你好\",\"MsgId\":4561255354251345929,\"AgentID\":1000002}";
    let xml = message("<MsgType>text</MsgType><Content>你好</Content><MsgId>4561255354251345929</MsgId>");
    assert_eq!(IncomingMessage::parse(json).unwrap(), xml);
}

#[test]
fn a_message_that_cannot_be_answered_is_an_error() {
    let from = |name: &str, rest: &str| {
        let text = format!("<xml><FromUserName>{name}</FromUserName><MsgType>text</MsgType>{rest}</xml>");
        IncomingMessage::parse(&text).unwrap_err()
    };
    for name in ["a|b", "@all", ""] {
        assert_eq!(
            from(name, "<MsgId>1</MsgId>"),
            MessageError::Field("FromUserName"),
            "{name}"
        );
    }
    assert_eq!(from("LiSi", ""), MessageError::Field("MsgId"));
    assert_eq!(UserId::parse(&"a".repeat(65)), None);
}

/// The sample of doc/94670 as it is printed there.
#[test]
fn an_event_that_names_nobody_comes_from_the_system() {
    let sample = "<xml>\n  <ToUserName><![CDATA[ww12345678910]]></ToUserName>\n  <CreateTime>1348831860</CreateTime>\n  \
                  <MsgType><![CDATA[event]]></MsgType>\n  <Event><![CDATA[kf_msg_or_event]]></Event>\n  \
                  <Token><![CDATA[ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVGcra996NR]]></Token>\n  \
                  <OpenKfId><![CDATA[wkxxxxxxx]]></OpenKfId>\n</xml>";
    let message = IncomingMessage::parse(sample).unwrap();
    assert_eq!(message.from_user.as_str(), "sys");
    assert!(
        matches!(message.content, Content::Event(Event::KfMessageOrEvent { token, open_kf_id }) if token.starts_with("ENCApHx") && open_kf_id == "wkxxxxxxx")
    );
    let nobody = |rest: &str| IncomingMessage::parse(&format!("<xml><MsgType>{rest}</xml>"));
    let answered = [
        "event</MsgType><Event>enter_agent</Event>",
        "text</MsgType><MsgId>1</MsgId>",
    ];
    for rest in answered {
        assert_eq!(nobody(rest).unwrap_err(), MessageError::Field("FromUserName"), "{rest}");
    }
    let somebody = nobody("event</MsgType><Event>click</Event><FromUserName>@all</FromUserName>");
    assert_eq!(somebody.unwrap_err(), MessageError::Field("FromUserName"));
}

#[test]
fn what_somebody_wrote_does_not_show_in_debug_output() {
    let canary = "<![CDATA[canary]]>";
    let number = "<MsgId>1</MsgId>";
    let kinds = [
        format!("<MsgType>text</MsgType>{number}<Content>{canary}</Content>"),
        format!("<MsgType>image</MsgType>{number}<PicUrl>{canary}</PicUrl>"),
        format!("<MsgType>location</MsgType>{number}<Label>{canary}</Label>"),
        format!(
            "<MsgType>link</MsgType>{number}<Title>{canary}</Title><Description>{canary}</Description><Url>{canary}</Url><PicUrl>{canary}</PicUrl>"
        ),
        format!("<MsgType>hologram</MsgType>{number}<Content>{canary}</Content>"),
        format!("<MsgType>event</MsgType><Event>new</Event><Content>{canary}</Content>"),
        format!(
            "<MsgType>event</MsgType><Event>change_contact</Event><ChangeType>new</ChangeType><Name>{canary}</Name>"
        ),
        format!("<MsgType>event</MsgType><Event>kf_msg_or_event</Event><Token>{canary}</Token>"),
        format!("<MsgType>event</MsgType><Event>template_card_event</Event><ResponseCode>{canary}</ResponseCode>"),
        format!(
            "<MsgType>event</MsgType><Event>scancode_push</Event><ScanCodeInfo><ScanResult>{canary}</ScanResult></ScanCodeInfo>"
        ),
        format!(
            "<MsgType>event</MsgType><Event>location_select</Event><SendLocationInfo><Label>{canary}</Label><Poiname>{canary}</Poiname></SendLocationInfo>"
        ),
    ];
    for kind in kinds {
        let shown = format!("{:?}", message(&kind));
        assert!(!shown.contains("canary") && !shown.contains("LiSi"), "{shown}");
        let element = format!("{:?}", read_xml(&format!("<xml>{kind}</xml>")).unwrap());
        assert!(element.contains("MsgType") && !element.contains("canary"), "{element}");
    }
}

#[test]
fn repeated_deliveries_have_the_same_key_and_others_another() {
    let key = |plaintext: &str| IncomingMessage::parse(plaintext).unwrap().deduplication_key(plaintext);
    let text = |user: &str, id: &str| {
        format!("<xml><FromUserName>{user}</FromUserName><MsgType>text</MsgType><MsgId>{id}</MsgId></xml>")
    };
    assert_eq!(key(&text("LiSi", "1")), key(&text("lisi", "1")));
    assert_ne!(key(&text("LiSi", "1")), key(&text("LiSi", "2")));
    assert_ne!(key(&text("LiSi", "1")), key(&text("Wang", "1")));
    let click = |key: &str| {
        format!(
            "<xml><FromUserName>a</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>click</Event><EventKey>{key}</EventKey></xml>"
        )
    };
    assert_eq!(key(&click("x")), key(&click("x")));
    assert_ne!(key(&click("x")), key(&click("y")));
}

proptest! {
    #[test]
    fn what_was_encrypted_decrypts_to_itself(message in any::<String>(), prefix in any::<[u8; 16]>()) {
        let credentials = vectors()[7].credentials();
        prop_assert_eq!(credentials.decrypt(&credentials.encrypt(&message, prefix)), Ok(message));
    }

    #[test]
    fn a_reply_is_signed_as_it_was_encrypted(
        message in "\\PC{0,400}",
        token in "[A-Za-z0-9]{1,32}",
        nonce in "[0-9A-Za-z_-]{1,64}",
        random_prefix in any::<[u8; 16]>(),
    ) {
        let key = EncodingAesKey::parse(&vectors()[7].encoding_aes_key).unwrap();
        let credentials = Credentials::new(CallbackToken::parse(&token).unwrap(), key, "ww1");
        let fresh = Fresh { random_prefix, nonce: Nonce::parse(&nonce).unwrap(), ..fresh() };
        for format in [WireFormat::Xml, WireFormat::Json] {
            let sealed = seal_reply(&credentials, format, &message, &fresh);
            prop_assert!(sealed.contains(&credentials.encrypt(&message, random_prefix)));
            prop_assert_eq!(open_reply(&credentials, &sealed), Ok(message.clone()));
        }
    }

    #[test]
    fn any_changed_character_breaks_the_signature(place in 0usize..88, replacement in "[A-Za-z0-9+/]") {
        let vector = &vectors()[0];
        let mut changed = vector.ciphertext.clone();
        let end = place + 1;
        prop_assume!(changed.is_char_boundary(place) && end <= changed.len() && changed[place..end] != *replacement);
        changed.replace_range(place..end, &replacement);
        prop_assert!(!vector.signature_is_good(&vector.nonce, &changed));
    }

    #[test]
    fn arbitrary_ciphertexts_and_messages_never_panic(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        use base64::Engine;
        let credentials = vectors()[0].credentials();
        let _ = credentials.decrypt(&text);
        let _ = credentials.decrypt(&base64::engine::general_purpose::STANDARD.encode(bytes));
        let _ = IncomingMessage::parse(&text);
        let _ = IncomingMessage::parse(&format!("<xml>{text}</xml>"));
    }
}

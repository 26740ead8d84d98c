//! What a refused request is tried against afterwards.

use jiefeng::protocol::{
    CallbackToken, Configured, CredentialSets, Credentials, DecryptError, EncodingAesKey, Envelope, Fresh, Likely,
    Nonce, RefusedCallback, Seconds, SignedQuery, VerificationQuery, WireFormat, diagnose, seal_callback,
    seal_verification,
};

use super::text;

const NOW: i64 = 1_800_000_000;
const WINDOW: i64 = 300;
const COMPANY: &str = "ww1";

/// Token and key of every set by its name: two of one app, one of another, and one that nobody has here.
const SETS: [(&str, &str, char); 4] = [
    ("support", "Support", 'A'),
    ("before", "Before", 'P'),
    ("sales", "Sales", 'B'),
    ("stranger", "Stranger", 'S'),
];

/// What a request is made of. The first line says how, as in `support before sales POST 7`: whose Token signs it, whose key encrypts it,
/// to whose address it comes, by which method, and how many seconds after its time stamp. The second line is for whom it is. A third one
/// changes it (`query 17 3`, `body 200 1`: a byte, and what it is combined with), or is `raw`: then what follows is the query in a line
/// of its own, and the body.
struct Request<'a> {
    token: &'a str,
    key: &'a str,
    called: Option<&'static str>,
    format: Option<WireFormat>,
    received_at: i64,
    receive_id: String,
    change: &'a str,
}

/// Of what came untouched it is known what is wrong with it. Of anything else no more is believed than what opens it says.
pub fn diagnosis(data: &[u8]) {
    let mut lines = text(data).unwrap_or_default().splitn(3, '\n');
    let (Some(first), Some(receive_id)) = (lines.next(), lines.next()) else {
        return;
    };
    let request = Request::read(first, receive_id, lines.next().unwrap_or_default());
    let Some((query, body)) = request.written() else { return };
    let envelope = Envelope::parse(&body);
    let ciphertext = match (&request.format, &envelope) {
        (None, _) => None,
        (Some(_), Ok(envelope)) => Some(&*envelope.encrypted),
        // Without its body a message cannot be tried again.
        (Some(_), Err(_)) => return,
    };
    let refused = RefusedCallback {
        query: &query,
        ciphertext,
        received_at: request.received_at,
    };
    let (support, sales) = apps();
    let configured = Configured {
        apps: &[("support", &support), ("sales", &sales)],
        called: request.called,
        window: WINDOW,
    };
    let found = diagnose(refused, configured);
    check_words(&found);
    let called = request
        .called
        .map(|name| if name == "support" { &support } else { &sales });
    check_belief(&found, refused, called);
    if request.change.is_empty() {
        assert_eq!(found, request.expected(), "{query}");
    }
}

impl<'a> Request<'a> {
    fn read(first: &'a str, receive_id: &str, change: &'a str) -> Self {
        let mut words = first.split(' ');
        let mut word = || words.next().unwrap_or_default();
        Self {
            token: word(),
            key: word(),
            called: match word() {
                "support" => Some("support"),
                "sales" => Some("sales"),
                _ => None,
            },
            format: match word() {
                "POST" => Some(WireFormat::Xml),
                "JSON" => Some(WireFormat::Json),
                _ => None,
            },
            received_at: NOW + word().parse::<i32>().map_or(0, i64::from),
            receive_id: receive_id.chars().take(100).collect(),
            change,
        }
    }

    /// The query and the body.
    fn written(&self) -> Option<(String, String)> {
        if let Some(raw) = self.change.strip_prefix("raw\n") {
            let (query, body) = raw.split_once('\n').unwrap_or((raw, ""));
            return Some((query.to_owned(), body.to_owned()));
        }
        let sent = credentials(self.token, self.key, &self.receive_id);
        let fresh = Fresh {
            random_prefix: [7; 16],
            nonce: Nonce::parse("nonce1").expect("a nonce"),
            timestamp: Seconds::from_unix(NOW).expect("ten digits"),
        };
        let sealed = match self.format {
            Some(format) => seal_callback(&sent, format, "<xml/>", "1", &fresh),
            None => seal_verification(&sent, "1616140317555161061", &fresh),
        };
        if self.change.is_empty() {
            return Some((sealed.query, sealed.body));
        }
        let mut words = self.change.split_ascii_whitespace();
        let (what, place, mask) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        match what {
            "query" => Some((changed(&sealed.query, place, mask)?, sealed.body)),
            "body" => Some((sealed.query, changed(&sealed.body, place, mask)?)),
            _ => None,
        }
    }

    /// What is wrong with it, if nothing was changed on the way.
    fn expected(&self) -> Likely {
        let (signed, sealed) = (app_of(self.token), app_of(self.key));
        let is_of = |app: &str| signed == Some(app) || sealed == Some(app);
        let Some(called) = self.called else {
            let app = ["support", "sales"].into_iter().find(|app| is_of(app));
            return app.map_or(Likely::UnknownPath, |app| Likely::Path(app.to_owned()));
        };
        let other = if called == "support" { "sales" } else { "support" };
        match (signed == Some(called), sealed == Some(called)) {
            (true, _) if name_of(self.token) == name_of(self.key) => self.expected_under_its_set(),
            (true, _) => Likely::EncodingAesKey(sealed.filter(|app| *app == other).map(str::to_owned)),
            (false, true) => Likely::Token,
            (false, false) if is_of(other) => Likely::Path(other.to_owned()),
            (false, false) => Likely::TokenAndKey,
        }
    }

    fn expected_under_its_set(&self) -> Likely {
        let is_shown = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        match (self.receive_id == COMPANY, NOW - self.received_at) {
            (false, _) => Likely::CorpId(self.receive_id.chars().filter(is_shown).take(64).collect()),
            (true, away) if away.abs() <= WINDOW => Likely::Replay,
            (true, away) => Likely::Clock(away),
        }
    }
}

/// One byte of a text combined with another; nothing where that is no text any more, or the same.
fn changed(text: &str, place: usize, mask: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let place = place.checked_rem(bytes.len())?;
    *bytes.get_mut(place)? ^= mask;
    String::from_utf8(bytes).ok().filter(|_| mask != 0)
}

fn set_of(name: &str) -> (&'static str, &'static str, char) {
    let found = SETS.into_iter().find(|(set, ..)| *set == name);
    found.unwrap_or(SETS[3])
}

fn name_of(name: &str) -> &'static str {
    set_of(name).0
}

fn app_of(name: &str) -> Option<&'static str> {
    match name_of(name) {
        "support" | "before" => Some("support"),
        "sales" => Some("sales"),
        _ => None,
    }
}

fn credentials(token: &str, key: &str, receive_id: &str) -> Credentials {
    let token = CallbackToken::parse(set_of(token).1).expect("a Token");
    let key = EncodingAesKey::parse(&set_of(key).2.to_string().repeat(43)).expect("a key");
    Credentials::new(token, key, receive_id)
}

fn apps() -> (CredentialSets, CredentialSets) {
    let own = |name| credentials(name, name, COMPANY);
    let support = CredentialSets::new(own("support"), Some(own("before")));
    (support, own("sales").into())
}

/// What is put on record has no secret and nothing that somebody else has written but letters and digits.
fn check_words(found: &Likely) {
    let (name, detail) = found.name_and_detail();
    assert!(!name.is_empty() && detail.len() <= 64, "{name} {detail}");
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    assert!(detail.chars().all(is_plain), "{name} {detail}");
}

/// Nobody is told that a request was right in something in which it was not.
fn check_belief(found: &Likely, refused: RefusedCallback<'_>, called: Option<&CredentialSets>) {
    let parts = match refused.ciphertext {
        Some(ciphertext) => SignedQuery::parse(refused.query).map(|query| (query, ciphertext.to_owned())),
        None => VerificationQuery::parse(refused.query).map(|query| (query.signed, query.echo)),
    };
    let Ok((query, ciphertext)) = parts else {
        let expected = if called.is_none() { "unknown_path" } else { "query" };
        assert_eq!(found.name_and_detail().0, expected);
        return;
    };
    let opened = called
        .and_then(|sets| sets.signers(&query, &ciphertext))
        .map(|signers| signers.open(&ciphertext));
    let is_in_time = query.timestamp.is_within(WINDOW, refused.received_at);
    match (found, opened) {
        (Likely::Replay, opened) => assert!(matches!(opened, Some(Ok(_))) && is_in_time),
        (Likely::Clock(_), opened) => assert!(matches!(opened, Some(Ok(_))) && !is_in_time),
        (Likely::CorpId(_), opened) => assert!(matches!(opened, Some(Err(DecryptError::ReceiveId)))),
        (Likely::EncodingAesKey(_), opened) => assert!(matches!(opened, Some(Err(_)))),
        (Likely::Query(_), _) => panic!("the query is one of a callback"),
        (found, opened) => assert!(
            opened.is_none(),
            "{found:?}, but it is signed by the app that was called"
        ),
    }
}

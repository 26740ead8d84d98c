//! Reading WeCom's XML into a small tree, strictly, and writing it so that no text can break out.
//!
//! WeCom sends plain elements with text or CDATA: no attributes, no DOCTYPE, no entities but the five predefined ones. Anything else is
//! refused. Depth and number of elements are bounded, because the envelope is read before its signature is checked.

use std::borrow::Cow;
use std::fmt::{self, Write};

use memchr::{memchr_iter, memchr2_iter, memchr3};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// Deepest nesting that is read; genuine messages have at most about eight levels.
const DEEPEST: usize = 16;

/// Most elements that are read.
const MOST_ELEMENTS: usize = 4096;

/// Why a text is not WeCom's XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well-formed.
    #[error("not well-formed XML")]
    Malformed,
    /// A DOCTYPE, processing instruction, attribute or unknown entity.
    #[error("{0} is not part of WeCom's XML")]
    Forbidden(&'static str),
    /// Too deep or too many elements.
    #[error("too many nested elements")]
    TooLarge,
}

/// An element with its text and children.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Element<'a> {
    /// Name.
    pub name: Cow<'a, str>,
    /// All text directly inside, CDATA included.
    pub text: Cow<'a, str>,
    /// Elements directly inside.
    pub children: Vec<Element<'a>>,
}

/// The text of an element may be what somebody wrote, so only names are shown.
impl fmt::Debug for Element<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_tuple(&self.name);
        for child in &self.children {
            shown.field(child);
        }
        shown.finish()
    }
}

/// Reads a document of one root element.
///
/// # Errors
///
/// What makes it something else.
pub fn read_xml(text: &str) -> Result<Element<'_>, XmlError> {
    match read_flat(text) {
        Some(root) => Ok(root),
        None => read_any(text),
    }
}

/// Reads the form of nearly all that WeCom sends: `xml` around elements that hold one CDATA section or plain text each, and nothing in
/// between. That takes a fifth of the time. Whatever has another form is left to the general reader, which alone decides what is refused.
fn read_flat(text: &str) -> Option<Element<'_>> {
    let mut children = Vec::with_capacity(8);
    let mut rest = text.strip_prefix("<xml>")?;
    while rest != "</xml>" {
        let (child, behind) = split_flat(rest)?;
        children.push(child);
        rest = behind;
    }
    let is_small = children.len() < MOST_ELEMENTS;
    is_small.then(|| Element {
        name: "xml".into(),
        text: "".into(),
        children,
    })
}

/// The element that a text begins with, and what is behind it.
fn split_flat(text: &str) -> Option<(Element<'_>, &str)> {
    let (name, rest) = split_name(text.strip_prefix('<')?)?;
    let (text, rest) = match rest.strip_prefix("<![CDATA[") {
        Some(section) => split_section(section)?,
        None => split_plain(rest)?,
    };
    let rest = rest.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?;
    let element = Element {
        name: name.into(),
        text: text.into(),
        children: Vec::new(),
    };
    Some((element, rest))
}

/// The name in a tag that holds nothing else, and what is behind the tag.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let is_behind = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'_';
    let (name, rest) = text.split_at_checked(text.bytes().position(is_behind)?)?;
    let rest = rest.strip_prefix('>').filter(|_| !name.is_empty())?;
    Some((name, rest))
}

/// What a CDATA section holds, unless it has a line end to be turned into a line feed, and what is behind it.
fn split_section(text: &str) -> Option<(&str, &str)> {
    let is_end = |at: &usize| {
        text.get(*at..)
            .is_none_or(|rest| !rest.starts_with(']') || rest.starts_with("]]>"))
    };
    let end = memchr2_iter(b']', b'\r', text.as_bytes()).find(is_end)?;
    let (inside, rest) = text.split_at_checked(end)?;
    Some((inside, rest.strip_prefix("]]>")?))
}

/// Text up to the next markup, unless something in it stands for something else.
fn split_plain(text: &str) -> Option<(&str, &str)> {
    let end = memchr3(b'<', b'&', b'\r', text.as_bytes())?;
    let (inside, rest) = text.split_at_checked(end)?;
    rest.starts_with('<').then_some((inside, rest))
}

/// Reads whatever XML WeCom may send.
fn read_any(text: &str) -> Result<Element<'_>, XmlError> {
    let mut reader = Reader::from_str(text);
    let mut tree = Tree::default();
    loop {
        match reader.read_event().map_err(|_| XmlError::Malformed)? {
            Event::Start(start) => tree.open(start.name().0, start.attributes_raw())?,
            Event::Empty(start) => {
                tree.open(start.name().0, start.attributes_raw())?;
                tree.close()?;
            }
            Event::End(_) => tree.close()?,
            Event::Text(text) => tree.add_text(text.xml10_content())?,
            Event::CData(text) => tree.add_text(text.xml10_content())?,
            Event::GeneralRef(reference) => tree.add_text(resolve(&reference)?.to_string().into())?,
            Event::Comment(_) => return Err(XmlError::Forbidden("a comment")),
            Event::Decl(_) if tree.is_untouched() => {}
            Event::Decl(_) | Event::PI(_) => return Err(XmlError::Forbidden("a processing instruction")),
            Event::DocType(_) => return Err(XmlError::Forbidden("a DOCTYPE")),
            Event::Eof => return tree.finish(),
        }
    }
}

/// The tree as far as it has been read.
#[derive(Default)]
struct Tree<'a> {
    open: Vec<Element<'a>>,
    root: Option<Element<'a>>,
    elements: usize,
}

impl<'a> Tree<'a> {
    fn is_untouched(&self) -> bool {
        self.elements == 0
    }

    fn open(&mut self, name: &str, attributes: &str) -> Result<(), XmlError> {
        if !attributes.trim().is_empty() {
            return Err(XmlError::Forbidden("an attribute"));
        }
        if self.root.is_some() {
            return Err(XmlError::Malformed);
        }
        self.elements = self.elements.saturating_add(1);
        if self.open.len() >= DEEPEST || self.elements > MOST_ELEMENTS {
            return Err(XmlError::TooLarge);
        }
        self.open.push(Element {
            name: name.to_owned().into(),
            ..Element::default()
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        let element = self.open.pop().ok_or(XmlError::Malformed)?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn add_text(&mut self, text: Cow<'a, str>) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => {
                element.text += text;
                Ok(())
            }
            None if text.trim().is_empty() => Ok(()),
            None => Err(XmlError::Malformed),
        }
    }

    fn finish(self) -> Result<Element<'a>, XmlError> {
        match self.open.is_empty() {
            true => self.root.ok_or(XmlError::Malformed),
            false => Err(XmlError::Malformed),
        }
    }
}

/// A character reference or one of the five predefined entities.
fn resolve(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| XmlError::Malformed)? {
        return if is_allowed(character) {
            Ok(character)
        } else {
            Err(XmlError::Malformed)
        };
    }
    match &*reference.xml10_content() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(XmlError::Forbidden("an entity")),
    }
}

/// Whether XML 1.0 allows the character.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether a text can stand in a CDATA section as it is, which nearly every text can: it ends no section, and XML 1.0 allows all of it
/// (neither control characters nor U+FFFE and U+FFFF). The two sequences are looked for by their rarest byte, many bytes at once.
fn is_verbatim(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_control = |byte: u8| (byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
    let has_control = bytes.iter().fold(false, |found, byte| found | is_control(*byte));
    let ends_section = |at: usize| bytes.get(..at).is_some_and(|before| before.ends_with(b"]]"));
    let is_noncharacter = |at: usize| matches!(bytes.get(at.saturating_sub(1)..), Some([0xef, 0xbf, 0xbe | 0xbf, ..]));
    !has_control && !memchr_iter(b'>', bytes).any(ends_section) && !memchr_iter(0xbf, bytes).any(is_noncharacter)
}

/// Writes `<name><![CDATA[text]]></name>`. Characters that XML cannot hold are dropped and `]]>` is split over two sections, so that no
/// text can end its element.
pub fn write_text(out: &mut String, name: &str, text: &str) {
    if is_verbatim(text) {
        return write_verbatim(out, name, text);
    }
    let allowed: String = text.chars().filter(|character| is_allowed(*character)).collect();
    write_verbatim(out, name, &allowed.replace("]]>", "]]]]><![CDATA[>"));
}

/// The same for a text of an alphabet that needs no care, such as base64.
pub(super) fn write_verbatim(out: &mut String, name: &str, text: &str) {
    out.extend(["<", name, "><![CDATA[", text, "]]></", name, ">"]);
}

/// Writes `<name>number</name>`.
pub fn write_number(out: &mut String, name: &str, number: i64) {
    out.extend(["<", name, ">"]);
    // Writing to a `String` does not fail.
    let _ = write!(out, "{number}");
    out.extend(["</", name, ">"]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_cdata_and_references_are_joined() {
        let root = read_xml("<?xml version=\"1.0\"?>\n<xml><A>1&lt;<![CDATA[<b>&amp;]]>&#20320;</A></xml>\n").unwrap();
        assert_eq!(root.children[0].text, "1<<b>&amp;你");
    }

    #[track_caller]
    fn check_refused(text: &str, expected: XmlError) {
        assert_eq!(read_xml(text).unwrap_err(), expected, "{text}");
    }

    #[test]
    fn what_wecom_never_sends_is_refused() {
        check_refused(
            "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><xml>&a;</xml>",
            XmlError::Forbidden("a DOCTYPE"),
        );
        check_refused("<xml>&a;</xml>", XmlError::Forbidden("an entity"));
        check_refused("<xml a=\"1\"/>", XmlError::Forbidden("an attribute"));
        check_refused("<xml xmlns:x=\"y\"></xml>", XmlError::Forbidden("an attribute"));
        check_refused(
            "<xml><?php echo 1 ?></xml>",
            XmlError::Forbidden("a processing instruction"),
        );
        check_refused("<xml><A>a<!-- b -->c</A></xml>", XmlError::Forbidden("a comment"));
        check_refused("<xml>&#0;</xml>", XmlError::Malformed);
    }

    #[test]
    fn broken_documents_are_refused() {
        for text in [
            "",
            "text",
            "<xml>",
            "</xml>",
            "<xml></a>",
            "<xml/><xml/>",
            "<xml/>text",
            "<xml>&unclosed</xml>",
            "<xml><![CDATA[</xml>",
        ] {
            check_refused(text, XmlError::Malformed);
        }
    }

    #[test]
    fn depth_and_number_of_elements_are_bounded() {
        check_refused(&"<a>".repeat(100_000), XmlError::TooLarge);
        check_refused(&format!("<a>{}</a>", "<b/>".repeat(5000)), XmlError::TooLarge);
    }

    #[test]
    fn text_cannot_end_its_element() {
        let mut out = String::new();
        write_text(&mut out, "Content", "a]]></Content><Evil>\u{0}\u{1f}\u{fffe}b]]]]>>");
        assert_eq!(read_xml(&out).unwrap().text, "a]]></Content><Evil>b]]]]>>");
    }

    #[test]
    fn what_wecom_sends_is_read_in_one_pass() {
        for text in [
            "<xml></xml>",
            "<xml><A><![CDATA[a]] ]>]]></A><Location_X>1</Location_X><B></B></xml>",
            "<xml><Content><![CDATA[<b>&amp;]]]></Content></xml>",
        ] {
            assert_eq!(read_flat(text).unwrap(), read_any(text).unwrap(), "{text}");
        }
        for text in [
            "<xml>a</xml>",
            "<xml><A>1</A>\n</xml>",
            "<xml><A>&lt;</A></xml>",
            "<xml><A>\r</A></xml>",
            "<xml><A><![CDATA[a\r]]></A></xml>",
            "<xml><A><![CDATA[a]]>b</A></xml>",
            "<xml><A a=\"1\">a</A></xml>",
            "<xml><A/></xml>",
            "<xml><A><B>b</B></A></xml>",
        ] {
            assert!(read_flat(text).is_none(), "{text}");
        }
    }

    /// Whole elements, and what could be mistaken for a part of one.
    const PIECES: &str = "<A>1</A>|<B><!\\[CDATA\\[.{0,3}\\]\\]></B>|<[AB]>|</[AB]>|<!\\[CDATA\\[|\\]\\]>|</xml>|[\\]<>&\r\n/!?\"a ]|&lt;|\u{feff}";

    proptest! {
        #[test]
        fn what_is_read_in_one_pass_is_read_alike_by_the_general_reader(
            pieces in proptest::collection::vec(PIECES, 0..12),
        ) {
            let text = format!("<xml>{}</xml>", pieces.concat());
            if let Some(root) = read_flat(&text) {
                prop_assert_eq!(Ok(root), read_any(&text), "{}", text);
            }
        }

        #[test]
        fn a_text_stands_as_it_is_when_nothing_in_it_is_forbidden_or_ends_its_section(
            text in "[\\]>a\t\u{1f}\u{bf}\u{fef}\u{feff}\u{ffbe}\u{fffd}\u{fffe}\u{ffff}\u{2ffff}]{0,8}",
        ) {
            let is_harmless = text.chars().all(is_allowed) && !text.contains("]]>");
            prop_assert_eq!(is_verbatim(&text), is_harmless, "{:?}", text);
        }

        #[test]
        fn any_text_is_read_back_without_what_xml_cannot_hold(text in any::<String>()) {
            let mut out = String::new();
            write_text(&mut out, "Content", &text);
            let element = read_xml(&out).unwrap();
            let expected: String = text.chars().filter(|character| is_allowed(*character)).collect();
            // XML turns every line end into a line feed.
            prop_assert_eq!(element.text, expected.replace("\r\n", "\n").replace('\r', "\n"));
            prop_assert!(element.children.is_empty());
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = read_xml(&text);
        }
    }
}

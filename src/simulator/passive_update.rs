//! A passive reply that changes a card instead of saying something (doc/90241).

use serde_json::{Map, Value, json};

use super::model::cards::Change;
use crate::protocol::xml::{Element, read_xml};

/// The change that a reply asks for; `None` when it is another kind of reply or one that the platform does not take.
pub(super) fn change_of(plaintext: &str) -> Option<Change> {
    let root = read_xml(plaintext).ok()?;
    let reply = value_of(&root);
    let change = match reply.get("msg_type")?.as_str()? {
        "update_button" => json!({"button": reply.get("button")?}),
        "update_template_card" => json!({"template_card": reply.get("template_card")?}),
        _ => return None,
    };
    Change::parse(&change).ok()
}

/// The elements of a reply under the names that the JSON form of a card has. Lists are repeated elements (doc/90241).
fn value_of(element: &Element<'_>) -> Value {
    if element.children.is_empty() {
        return Value::from(&*element.text);
    }
    let mut fields = Map::new();
    for child in &element.children {
        let value = value_of(child);
        let name = json_name(&child.name);
        match child.name.ends_with("List") {
            true => match fields.entry(name).or_insert_with(|| json!([])) {
                Value::Array(entries) => entries.push(value),
                other => *other = value,
            },
            false => {
                fields.insert(name, value);
            }
        }
    }
    Value::Object(fields)
}

fn json_name(name: &str) -> String {
    if name == "KeyName" {
        return "keyname".to_owned();
    }
    let mut json_name = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !json_name.is_empty() {
            json_name.push('_');
        }
        json_name.push(letter.to_ascii_lowercase());
    }
    json_name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_button_can_be_changed_doc_90241() {
        let reply = "<xml><MsgType>update_button</MsgType><Button><ReplaceName>谢谢</ReplaceName></Button></xml>";
        assert!(matches!(change_of(reply), Some(Change::Button(words)) if words == "谢谢"));
    }

    #[test]
    fn a_whole_card_can_be_changed_doc_90241() {
        let reply = "<xml><MsgType>update_template_card</MsgType><TemplateCard><CardType>button_interaction</CardType>\
            <MainTitle><Title>好了</Title></MainTitle><ButtonList><Text>有用</Text><Key>y</Key></ButtonList>\
            <ButtonList><Text>没用</Text><Key>n</Key></ButtonList></TemplateCard></xml>";
        let Some(Change::Whole(card)) = change_of(reply) else {
            panic!("no change")
        };
        assert_eq!(card["main_title"]["title"], "好了");
        assert_eq!(card["button_list"][1], json!({"text": "没用", "key": "n"}));
    }

    #[test]
    fn a_text_changes_no_card() {
        assert!(change_of("<xml><MsgType>text</MsgType><Content>好</Content></xml>").is_none());
    }
}

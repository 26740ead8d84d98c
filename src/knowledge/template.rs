//! A sentence with places that are filled in when it is said.

use std::ops::Range;

/// A text as it is written, with the `{placeholders}` in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    written: String,
    /// Bytes of the placeholders, braces included, in the order of the text.
    placeholders: Vec<Range<usize>>,
}

impl Template {
    pub(super) fn new(written: String) -> Self {
        let mut placeholders = Vec::new();
        let mut end = 0;
        while let Some(placeholder) = placeholder_behind(&written, end) {
            end = placeholder.end;
            placeholders.push(placeholder);
        }
        Self { written, placeholders }
    }

    /// The text as it is written, placeholders and all.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// Writes the text with values in its placeholders behind another text. A value is never looked at for placeholders itself.
    pub(super) fn fill(&self, text: &mut String, values: &[(&str, &str)]) {
        let mut end = 0;
        for placeholder in &self.placeholders {
            text.push_str(self.written.get(end..placeholder.start).unwrap_or_default());
            text.push_str(self.value_of(placeholder, values));
            end = placeholder.end;
        }
        text.push_str(self.written.get(end..).unwrap_or_default());
    }

    fn value_of<'v>(&self, placeholder: &Range<usize>, values: &[(&str, &'v str)]) -> &'v str {
        let braced = self.written.get(placeholder.clone()).unwrap_or_default();
        let name = braced.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        let value = values.iter().find(|(known, _)| Some(*known) == name);
        value.map_or("", |(_, value)| value)
    }
}

fn placeholder_behind(text: &str, place: usize) -> Option<Range<usize>> {
    let start = place.saturating_add(text.get(place..)?.find('{')?);
    let length = text.get(start..)?.find('}')?.saturating_add(1);
    Some(start..start.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, values: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        Template::new(template.to_owned()).fill(&mut filled, values);
        filled
    }

    #[test]
    fn placeholders_are_filled_once_and_values_are_not_templates() {
        assert_eq!(filled("{a}至{b}", &[("a", "{b}"), ("b", "2")]), "{b}至2");
        assert_eq!(filled("{unclosed", &[]), "{unclosed");
        assert_eq!(filled("从{a}起{b}{a}}", &[("a", "1")]), "从1起1}");
    }
}

//! Changing a value in the text of a TOML file: everything else, comments and order included, stays as it was written.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, RawString, Table, TableLike, Value};

use super::edit::EditError;

/// How far entries of a list are indented where the list says nothing about it.
const INDENTATION: &str = "  ";

/// A file being edited.
pub(super) struct TomlText {
    file: String,
    document: DocumentMut,
}

impl TomlText {
    /// Takes the text of a file of this name.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, EditError> {
        let file = file.to_owned();
        match text.parse() {
            Ok(document) => Ok(Self { file, document }),
            Err(_) => Err(EditError::Unreadable { file }),
        }
    }

    /// The text as it is now.
    pub(super) fn text(&self) -> String {
        self.document.to_string()
    }

    /// Writes another text under a key of a table; either is made if it is missing.
    pub(super) fn set_text(&mut self, table: &str, key: &str, text: &str) -> Result<(), EditError> {
        let table = self.table(table)?;
        match table.get_mut(key).and_then(Item::as_value_mut) {
            Some(value) => replace(value, text.into()),
            None => drop(table.insert(key, toml_edit::value(text))),
        }
        Ok(())
    }

    /// Writes another number under a key of a table, which is made if it is missing; `None` takes the key out.
    pub(super) fn set_number(&mut self, table: &str, key: &str, number: Option<u8>) -> Result<(), EditError> {
        let table = self.table(table)?;
        match (table.get_mut(key).and_then(Item::as_value_mut), number) {
            (Some(value), Some(number)) => replace(value, i64::from(number).into()),
            (None, Some(number)) => drop(table.insert(key, toml_edit::value(i64::from(number)))),
            (_, None) => drop(table.remove(key)),
        }
        Ok(())
    }

    /// Makes a list hold these texts. An entry keeps the comments at its place.
    pub(super) fn set_list(&mut self, table: &str, key: &str, texts: &[String]) -> Result<(), EditError> {
        let list = self.list(table, key)?;
        while list.len() > texts.len() {
            remove(list, list.len().saturating_sub(1));
        }
        for (place, text) in texts.iter().enumerate() {
            match list.get_mut(place) {
                Some(value) if value.as_str() == Some(text) => {}
                Some(value) => replace(value, text.into()),
                None => append(list, text.into()),
            }
        }
        Ok(())
    }

    /// Adds texts to the end of a list.
    pub(super) fn add_to_list(&mut self, table: &str, key: &str, texts: &[String]) -> Result<(), EditError> {
        let list = self.list(table, key)?;
        texts.iter().for_each(|text| append(list, text.into()));
        Ok(())
    }

    /// Takes a text out of a list; `false`: it is not in there.
    pub(super) fn remove_from_list(&mut self, table: &str, key: &str, text: &str) -> Result<bool, EditError> {
        let list = self.list(table, key)?;
        let place = list.iter().position(|value| value.as_str() == Some(text));
        place.into_iter().for_each(|place| remove(list, place));
        Ok(place.is_some())
    }

    /// Adds a table of texts to the end of a list of tables, in whichever way the list is written.
    pub(super) fn add_row(&mut self, table: &str, key: &str, row: &[(&str, &str)]) -> Result<(), EditError> {
        if let Some(tables) = self.table(table)?.get_mut(key).and_then(Item::as_array_of_tables_mut) {
            tables.push(table_of(row));
            return Ok(());
        }
        let inline: InlineTable = row.iter().map(|(key, text)| (*key, Value::from(*text))).collect();
        append(self.list(table, key)?, inline.into());
        Ok(())
    }

    /// Adds texts to the list of the table with this id, among the tables under `tables`; it is made of `row` if there is none.
    pub(super) fn add_to_list_of(
        &mut self,
        tables: &str,
        row: &[(&str, &str)],
        key: &str,
        texts: &[String],
    ) -> Result<(), EditError> {
        let shape = self.shape(tables);
        let item = self.document.entry(tables);
        let item = item.or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        let tables = item.as_array_of_tables_mut().ok_or_else(|| shape.clone())?;
        let is_it = |table: &Table| {
            row.first()
                .is_some_and(|(key, id)| table.get(key).and_then(Item::as_str) == Some(id))
        };
        if !tables.iter().any(is_it) {
            tables.push(table_of(row));
        }
        let table = tables
            .iter_mut()
            .find(|table| is_it(table))
            .ok_or_else(|| shape.clone())?;
        let list = list_of(table, key).ok_or(shape)?;
        texts.iter().for_each(|text| append(list, text.into()));
        Ok(())
    }

    fn table(&mut self, name: &str) -> Result<&mut dyn TableLike, EditError> {
        let shape = self.shape(name);
        let item = self.document.entry(name).or_insert_with(toml_edit::table);
        item.as_table_like_mut().ok_or(shape)
    }

    fn list(&mut self, table: &str, key: &str) -> Result<&mut Array, EditError> {
        let shape = self.shape(&format!("{table}.{key}"));
        list_of(self.table(table)?, key).ok_or(shape)
    }

    fn shape(&self, key: &str) -> EditError {
        EditError::Shape {
            file: self.file.clone(),
            key: key.to_owned(),
        }
    }
}

fn list_of<'t>(table: &'t mut dyn TableLike, key: &str) -> Option<&'t mut Array> {
    let item = table.entry(key).or_insert_with(|| {
        let mut list = Array::new();
        list.set_trailing("\n");
        Item::Value(list.into())
    });
    item.as_array_mut()
}

/// A table of its own, after an empty line.
fn table_of(row: &[(&str, &str)]) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    for (key, text) in row {
        table.insert(key, toml_edit::value(*text));
    }
    table
}

/// Puts another value in the place of one, with what stands around it.
fn replace(value: &mut Value, mut other: Value) {
    other.decor_mut().clone_from(value.decor());
    *value = other;
}

/// Adds an entry: on a line of its own where the list has several lines. A comment at the end of the last entry stays with it.
fn append(list: &mut Array, mut value: Value) {
    let lines = list.iter().map(prefix).find(|prefix| prefix.contains('\n'));
    let indentation = match lines {
        Some(prefix) => prefix.rsplit('\n').next().unwrap_or_default().to_owned(),
        None if text_of(list.trailing()).contains('\n') => INDENTATION.to_owned(),
        None => {
            let before = if list.is_empty() { "" } else { " " };
            value.decor_mut().set_prefix(before);
            list.push_formatted(value);
            return;
        }
    };
    let behind = match list.trailing_comma() {
        true => text_of(list.trailing()).to_owned(),
        false => {
            let last = list.len().checked_sub(1).and_then(|last| list.get_mut(last));
            let suffix = last.map(take_suffix).unwrap_or_default();
            format!("{suffix}{}", text_of(list.trailing()))
        }
    };
    value
        .decor_mut()
        .set_prefix(format!("{}\n{indentation}", behind.trim_end()));
    list.push_formatted(value);
    list.set_trailing("\n");
    list.set_trailing_comma(true);
}

/// Takes an entry out. A comment before it stays: on the same line it is the comment of the entry above.
fn remove(list: &mut Array, place: usize) {
    let removed = list.remove(place);
    let before = prefix(&removed).to_owned();
    if !before.contains('#') {
        return;
    }
    match list.get_mut(place) {
        Some(next) => {
            let own = prefix(next).trim_start_matches([' ', '\n', '\r']).to_owned();
            next.decor_mut().set_prefix(format!("{before}{own}"));
        }
        None => {
            let behind = text_of(list.trailing()).to_owned();
            list.set_trailing(format!("{}{behind}", before.trim_end()));
        }
    }
}

fn prefix(value: &Value) -> &str {
    value.decor().prefix().map(text_of).unwrap_or_default()
}

fn take_suffix(value: &mut Value) -> String {
    let suffix = value.decor().suffix().map(text_of).unwrap_or_default().to_owned();
    value.decor_mut().set_suffix("");
    suffix
}

fn text_of(raw: &RawString) -> &str {
    raw.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMENTED: &str = "# About this file.\nid = \"a\"   # stable\n\n[examples]\n# How people ask.\nutterances = [\n  \"一\", \"二\", # the second\n  # A comment above.\n  \"三\", # the third\n]\n\n[zh]   # Chinese\ntitle = \"标题\" # short\nsteps = [\"先\", \"后\"]\n";

    fn edited(text: &str, edit: impl FnOnce(&mut TomlText) -> Result<(), EditError>) -> String {
        let mut document = TomlText::parse("a.toml", text).unwrap();
        edit(&mut document).unwrap();
        document.text()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn nothing_is_changed_by_reading() {
        for name in ["outside.toml", "ambiguous.toml", "scenarios/pull-group-full.toml"] {
            let text = std::fs::read_to_string(format!("knowledge/{name}")).unwrap();
            assert_eq!(TomlText::parse(name, &text).unwrap().text(), text);
        }
    }

    #[test]
    fn an_entry_is_added_on_its_own_line_and_comments_stay_where_they_are() {
        let added = edited(COMMENTED, |text| {
            text.add_to_list("examples", "utterances", &texts(&["四", "五\"六"]))
        });
        let expected = COMMENTED.replace("# the third\n]", "# the third\n  \"四\",\n  '五\"六',\n]");
        assert_eq!(added, expected);
    }

    #[test]
    fn lists_in_one_line_without_a_last_comma_or_not_there_yet_take_entries_too() {
        let add = |text: &str| edited(text, |text| text.add_to_list("zh", "steps", &texts(&["新"])));
        assert_eq!(add("[zh]\nsteps = [\"先\"]\n"), "[zh]\nsteps = [\"先\", \"新\"]\n");
        assert_eq!(add("[zh]\nsteps = []\n"), "[zh]\nsteps = [\"新\"]\n");
        assert_eq!(
            add("[zh]\nsteps = [\n  \"先\" # first\n]\n"),
            "[zh]\nsteps = [\n  \"先\", # first\n  \"新\",\n]\n"
        );
        assert_eq!(add("[zh]\n"), "[zh]\nsteps = [\n  \"新\",\n]\n");
        assert_eq!(add(""), "[zh]\nsteps = [\n  \"新\",\n]\n");
    }

    #[test]
    fn an_entry_is_taken_out_and_comments_stay() {
        let remove = |entry: &str| {
            edited(COMMENTED, |text| {
                assert!(text.remove_from_list("examples", "utterances", entry).unwrap());
                Ok(())
            })
        };
        assert_eq!(remove("二"), COMMENTED.replace(" \"二\",", ""));
        assert_eq!(remove("三"), COMMENTED.replace("\n  \"三\",", ""));
        let mut text = TomlText::parse("a.toml", COMMENTED).unwrap();
        assert!(!text.remove_from_list("examples", "utterances", "没有").unwrap());
    }

    #[test]
    fn a_text_is_replaced_and_what_stands_beside_it_stays() {
        let titled = edited(COMMENTED, |text| text.set_text("zh", "title", "新标题"));
        assert_eq!(titled, COMMENTED.replace("\"标题\"", "\"新标题\""));
        let listed = edited(COMMENTED, |text| {
            text.set_list("zh", "steps", &texts(&["先", "再", "后"]))
        });
        assert_eq!(
            listed,
            COMMENTED.replace("[\"先\", \"后\"]", "[\"先\", \"再\", \"后\"]")
        );
        let shorter = edited(COMMENTED, |text| text.set_list("zh", "steps", &texts(&["再"])));
        assert_eq!(shorter, COMMENTED.replace("[\"先\", \"后\"]", "[\"再\"]"));
    }

    #[test]
    fn rows_are_added_in_the_way_the_list_is_written() {
        let row = [("text", "一"), ("is", "none")];
        let add = |text: &str| edited(text, |text| text.add_row("examples", "not_this", &row));
        assert_eq!(
            add("[examples]\n"),
            "[examples]\nnot_this = [\n  { text = \"一\", is = \"none\" },\n]\n"
        );
        assert_eq!(
            add("[examples]\n[[examples.not_this]]\ntext = \"零\"\nis = \"b\"\n"),
            "[examples]\n[[examples.not_this]]\ntext = \"零\"\nis = \"b\"\n\n[[examples.not_this]]\ntext = \"一\"\nis = \"none\"\n"
        );
    }

    #[test]
    fn the_table_that_is_meant_takes_the_entry_and_is_made_once() {
        let row = [("id", "asked"), ("about", "Asked")];
        let add = |text: &str, entry: &str| {
            edited(text, |text| {
                text.add_to_list_of("topics", &row, "utterances", &texts(&[entry]))
            })
        };
        let once = add("[[topics]]\nid = \"a\"\nutterances = [\"零\"]\n", "一");
        let expected = "[[topics]]\nid = \"a\"\nutterances = [\"零\"]\n\n[[topics]]\nid = \"asked\"\nabout = \"Asked\"\nutterances = [\n  \"一\",\n]\n";
        assert_eq!(once, expected);
        assert_eq!(add(&once, "二"), expected.replace("\"一\",", "\"一\",\n  \"二\","));
    }

    #[test]
    fn a_file_of_another_shape_is_refused_with_its_name() {
        let mut text = TomlText::parse("a.toml", "examples = 3\n").unwrap();
        let refused = text.add_to_list("examples", "utterances", &texts(&["一"]));
        assert!(refused.unwrap_err().to_string().contains("a.toml"));
        assert!(TomlText::parse("a.toml", "id = ").is_err());
    }
}

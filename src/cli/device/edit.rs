//! Changes of a settings file's text: what they do not mean stays as it was written, comments and layout too. `None`
//! wherever the text has a form that nothing is known of.

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

/// The table of the feed `id`.
pub(super) fn feed<'a>(document: &'a mut DocumentMut, id: &str) -> Option<&'a mut dyn TableLike> {
    document.get_mut("feed")?.as_table_like_mut()?.get_mut(id)?.as_table_like_mut()
}

/// Adds `name` to the devices of `feed`, which are `devices` by now, wherever they are named.
pub(super) fn add(feed: &mut dyn TableLike, devices: &[&str], name: &str) -> Option<()> {
    if feed.contains_key("devices") {
        return append(feed.get_mut("devices")?, name);
    }
    // A feed that names none has one; one that has sections for its devices needs no list of them.
    let listed = if feed.contains_key("device") { &[] } else { devices };
    put_first(feed, "devices", listed.iter().copied().chain([name]).collect());
    Some(())
}

/// Takes `name` from the devices of `feed` and puts it among the revoked.
pub(super) fn revoke(feed: &mut dyn TableLike, name: &str) -> Option<()> {
    if let Some(listed) = feed.get_mut("devices") {
        remove(listed, name)?;
    }
    if let Some(sections) = feed.get_mut("device") {
        let sections = sections.as_table_like_mut()?;
        sections.remove(name);
        if sections.is_empty() {
            feed.remove("device");
        }
    }
    match feed.get_mut("revoked") {
        Some(revoked) => append(revoked, name)?,
        None => put_first(feed, "revoked", [name].into_iter().collect()),
    }
    Some(())
}

/// Counts the rotation of `name` up to `rotation`. The URL before works until `until`.
pub(super) fn rotate(feed: &mut dyn TableLike, name: &str, rotation: u32, until: Option<&str>) -> Option<()> {
    let sections = feed.entry("device").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let section = sections.as_table_like_mut()?.entry(name).or_insert_with(|| Item::Table(Table::new()));
    let section = section.as_table_like_mut()?;
    set(section, "rotation", i64::from(rotation).into());
    match until {
        Some(until) => set(section, "grace_until", until.into()),
        None => {
            section.remove("grace_until");
        }
    }
    Some(())
}

/// Gives `key` another value, and what stands around the old one stays.
fn set(table: &mut dyn TableLike, key: &str, value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let around = old.decor().clone();
            *old = value;
            *old.decor_mut() = around;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// A new list in the table of `feed`. The text of a table ends where its sub-tables begin, so it stands before them.
fn put_first(feed: &mut dyn TableLike, key: &str, names: Array) {
    feed.insert(key, Item::Value(Value::Array(names)));
}

/// Adds to a list, or to the text with commas that may stand for one.
fn append(list: &mut Item, name: &str) -> Option<()> {
    match list.as_value_mut()? {
        Value::String(text) => {
            let decor = text.decor().clone();
            let names = text.value().trim().trim_end_matches(',');
            let names = if names.is_empty() { name.to_owned() } else { format!("{names}, {name}") };
            *text = toml_edit::Formatted::new(names);
            *text.decor_mut() = decor;
        }
        Value::Array(array) => append_to_array(array, name),
        _ => return None,
    }
    Some(())
}

/// In the layout of the others. A comment behind the last of them stays behind it.
fn append_to_array(array: &mut Array, name: &str) {
    let last = array.iter().last().map(|last| last.decor().clone()).unwrap_or_default();
    let prefix = last.prefix().and_then(|prefix| prefix.as_str());
    let indent = prefix.and_then(|prefix| prefix.rsplit_once('\n')).map(|(_, indent)| indent.to_owned());
    let Some(indent) = indent else { return array.push(name) };
    let suffix = last.suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default();
    let behind = if array.trailing_comma() { array.trailing().as_str().unwrap_or_default() } else { suffix }.to_owned();
    let comment = behind.trim_end();
    let mut value = Value::from(name);
    value.decor_mut().set_prefix(format!("{comment}\n{indent}"));
    let rest = behind.get(comment.len()..).unwrap_or_default();
    if array.trailing_comma() {
        array.set_trailing(rest);
    } else {
        value.decor_mut().set_suffix(rest);
        if let Some(last) = array.len().checked_sub(1).and_then(|at| array.get_mut(at)) {
            last.decor_mut().set_suffix("");
        }
    }
    array.push_formatted(value);
}

fn remove(list: &mut Item, name: &str) -> Option<()> {
    match list.as_value_mut()? {
        Value::String(text) => {
            let decor = text.decor().clone();
            let kept: Vec<_> = text.value().split(',').map(str::trim).filter(|item| *item != name).collect();
            *text = toml_edit::Formatted::new(kept.join(", "));
            *text.decor_mut() = decor;
        }
        Value::Array(array) => {
            let at = array.iter().position(|item| item.as_str() == Some(name));
            if let Some(at) = at {
                let gone = array.remove(at);
                keep_layout(array, at, &gone);
            }
        }
        _ => return None,
    }
    Some(())
}

/// What now stands first stands where the first stood, and what stood behind the last goes with it.
fn keep_layout(array: &mut Array, at: usize, gone: &Value) {
    let plain = |prefix: &str| prefix.trim().is_empty();
    let prefix = gone.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    if at == 0
        && let Some(first) = array.get_mut(0)
        && first.decor().prefix().and_then(|prefix| prefix.as_str()).is_some_and(plain)
    {
        first.decor_mut().set_prefix(prefix.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, change: impl FnOnce(&mut dyn TableLike) -> Option<()>) -> String {
        let mut document: DocumentMut = text.parse().unwrap();
        change(feed(&mut document, "me").unwrap()).unwrap();
        document.to_string()
    }

    #[test]
    fn a_device_is_added_in_the_layout_of_the_others() {
        let cases = [
            ("[feed.me]\ndevices = [\"a\"] # mine\n", "[feed.me]\ndevices = [\"a\", \"x\"] # mine\n"),
            ("[feed.me]\ndevices = []\n", "[feed.me]\ndevices = [\"x\"]\n"),
            ("[feed.me]\ndevices = \"a\"\n", "[feed.me]\ndevices = \"a, x\"\n"),
            ("[feed]\nme = { devices = [\"a\"] }\n", "[feed]\nme = { devices = [\"a\", \"x\"] }\n"),
            (
                "[feed.me]\ndevices = [\n  \"a\", # first\n  \"b\", # second\n]\n",
                "[feed.me]\ndevices = [\n  \"a\", # first\n  \"b\", # second\n  \"x\",\n]\n",
            ),
            (
                "[feed.me]\ndevices = [\n  \"a\",\n  \"b\"\n]\n",
                "[feed.me]\ndevices = [\n  \"a\",\n  \"b\",\n  \"x\"\n]\n",
            ),
            // Without a list, those that are there by themselves must not vanish.
            ("[feed.me]\nname = \"n\" # n\n\n[z]\n", "[feed.me]\nname = \"n\" # n\ndevices = [\"a\", \"x\"]\n\n[z]\n"),
            (
                "[feed.me]\nname = \"n\"\n\n[feed.me.device.a]\nrotation = 1\n",
                "[feed.me]\nname = \"n\"\ndevices = [\"x\"]\n\n[feed.me.device.a]\nrotation = 1\n",
            ),
        ];
        for (before, after) in cases {
            assert_eq!(edited(before, |feed| add(feed, &["a"], "x")), after);
        }
    }

    #[test]
    fn a_revoked_device_moves_from_one_list_to_the_other() {
        let cases = [
            ("[feed.me]\ndevices = [\"a\", \"b\"]\n", "[feed.me]\ndevices = [\"b\"]\nrevoked = [\"a\"]\n"),
            (
                "[feed.me]\ndevices = [\"b\", \"a\"] # mine\nrevoked = [\"z\"] # lost\n",
                "[feed.me]\ndevices = [\"b\"] # mine\nrevoked = [\"z\", \"a\"] # lost\n",
            ),
            (
                "[feed.me]\ndevices = [\n    \"a\",\n    \"b\",\n]\n\n[feed.me.device.a]\nrotation = 3\n",
                "[feed.me]\ndevices = [\n    \"b\",\n]\nrevoked = [\"a\"]\n",
            ),
            ("[feed.me]\ndevices = \"a,b\"\n", "[feed.me]\ndevices = \"b\"\nrevoked = [\"a\"]\n"),
        ];
        for (before, after) in cases {
            assert_eq!(edited(before, |feed| revoke(feed, "a")), after);
        }
    }

    #[test]
    fn a_rotation_is_counted_in_the_devices_section() {
        let cases = [
            (
                "[feed.me]\ndevices = [\"a\"]\n\n# behind\n[z]\n",
                "[feed.me]\ndevices = [\"a\"]\n\n[feed.me.device.a]\nrotation = 2\ngrace_until = \"T\"\n\n# behind\n[z]\n",
                Some("T"),
            ),
            (
                "[feed.me.device.a]\n# why\nrotation = 1 # once\ngrace_until = \"S\" # till then\n",
                "[feed.me.device.a]\n# why\nrotation = 2 # once\ngrace_until = \"T\" # till then\n",
                Some("T"),
            ),
            ("[feed.me.device.a]\nrotation = 1\ngrace_until = \"S\"\n", "[feed.me.device.a]\nrotation = 2\n", None),
            ("feed.me = { devices = [\"a\"] }\n", "feed.me = { devices = [\"a\"] , device.a.rotation = 2 }\n", None),
        ];
        for (before, after, until) in cases {
            assert_eq!(edited(before, |feed| rotate(feed, "a", 2, until)), after);
        }
    }
}

//! Pages of the manual of which a part is made by a program: it stands between two marks, the rest is written by hand.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Puts `text` into the page at `path`, between the marks of `name`.
pub(crate) fn write(path: &Path, name: &str, text: &str) -> Result<()> {
    let page = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let [begin, end] = marks(name);
    let page = replaced(&page, name, text)
        .with_context(|| format!("{} has no place for it: {begin} {end}", path.display()))?;
    fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
}

fn marks(name: &str) -> [String; 2] {
    [format!("<!-- {name} -->"), format!("<!-- /{name} -->")]
}

/// The page with other text between the marks; none where it has no marks.
fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let [begin, end] = marks(name);
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{text}\n{end}{after}"))
}

/// As a cell of a table.
pub(crate) fn plain(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marked_part_is_replaced() {
        let page = "# A\n<!-- soak -->\nold\n<!-- /soak -->\nB\n";
        let expected = "# A\n<!-- soak -->\n\nnew\n\n<!-- /soak -->\nB\n";
        assert_eq!(replaced(page, "soak", "new\n").unwrap(), expected);
        assert_eq!(replaced(page, "load", "new"), None);
    }

    #[test]
    fn a_cell_stays_a_cell() {
        assert_eq!(plain("a|b\nc"), "a/b c");
    }
}

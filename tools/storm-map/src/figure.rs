//! A figure: a table in Markdown, and perhaps a picture.

/// What a figure consists of.
pub(crate) struct Figure {
    pub(crate) table: String,
    pub(crate) picture: Option<String>,
}

/// A table in Markdown. The first column is text, the others are numbers.
pub(crate) struct Table {
    text: String,
}

impl Table {
    pub(crate) fn new<H: AsRef<str>>(header: &[H]) -> Self {
        let mut table = Self { text: String::new() };
        table.row(header);
        let rule: Vec<_> =
            (0..header.len()).map(|place| if place == 0 { "---" } else { "---:" }).collect();
        table.row(&rule);
        table
    }

    pub(crate) fn row<C: AsRef<str>>(&mut self, cells: &[C]) {
        for cell in cells {
            self.text.push_str("| ");
            self.text.push_str(cell.as_ref());
            self.text.push(' ');
        }
        self.text.push_str("|\n");
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

impl From<Table> for Figure {
    fn from(table: Table) -> Self {
        Self { table: table.finish(), picture: None }
    }
}

/// The page with this table between the marks `<!-- NAME -->` and `<!-- end NAME -->`.
pub(crate) fn replace(page: &str, name: &str, table: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end {name} -->"));
    let missing = |mark: &str| format!("the page has no {}", mark.trim_end());
    let (before, rest) = page.split_once(&begin).ok_or_else(|| missing(&begin))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
    Ok(format!("{before}{begin}\n{table}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_what_is_between_its_marks_and_nothing_else() {
        let page = "a\n<!-- x -->\nold\n<!-- end x -->\nb\n<!-- y -->\n<!-- end y -->\n";
        let mut table = Table::new(&["of", "n"]);
        table.row(&["one", "1"]);
        let replaced = replace(page, "x", &table.finish()).unwrap();
        let written = "| of | n |\n| --- | ---: |\n| one | 1 |\n";
        assert_eq!(replaced, page.replace("old\n", &format!("\n{written}\n")));
        assert_eq!(replace(&replaced, "x", written).unwrap(), replaced);
        assert!(replace(page, "z", "").is_err());
    }
}

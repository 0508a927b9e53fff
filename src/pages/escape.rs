//! Text inside HTML.

/// Appends a text that is shown as it is, in an element or in a quoted attribute.
pub(super) fn escape(text: &str, html: &mut String) {
    html.reserve(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // for readers of a template that meant to write a placeholder
            '{' => html.push_str("&#123;"),
            _ => html.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_that_is_said_is_markup() {
        let mut html = String::new();
        escape("<script>'\"&{{title}}", &mut html);
        assert_eq!(html, "&lt;script&gt;&#39;&quot;&amp;&#123;&#123;title}}");
    }
}

//! As much of Markdown as these documents have: fenced blocks, headings, links.

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    /// The line of its first fence, counted from 1.
    pub(crate) line: usize,
    /// What stands behind the fence: a language, and words.
    pub(crate) info: String,
    pub(crate) text: String,
    /// The comments that stand right before it.
    pub(crate) remarks: Vec<String>,
}

/// All fenced blocks of a text, and its lines outside of them.
pub(crate) fn read(text: &str) -> (Vec<Fence>, Vec<(usize, &str)>) {
    let (mut fences, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<Fence> = None;
    let mut remarks = Vec::new();
    for (line, content) in text
        .lines()
        .enumerate()
        .map(|(at, content)| (at + 1, content))
    {
        let fence = content.strip_prefix("```");
        match (&mut open, fence) {
            (Some(_), Some("")) => fences.extend(open.take()),
            (Some(block), _) => block.text.extend([content, "\n"]),
            (None, Some(info)) => {
                let remarks = std::mem::take(&mut remarks);
                open = Some(Fence {
                    line,
                    info: info.to_owned(),
                    text: String::new(),
                    remarks,
                });
            }
            (None, None) => {
                assert!(
                    !content.trim_start().starts_with("```"),
                    "line {line}: a fence is not indented"
                );
                match content
                    .strip_prefix("<!-- ")
                    .and_then(|rest| rest.strip_suffix(" -->"))
                {
                    Some(remark) => remarks.push(remark.to_owned()),
                    None if !content.is_empty() => remarks.clear(),
                    None => {}
                }
                prose.push((line, content));
            }
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    (fences, prose)
}

/// The targets of `[text](target)` in a line; what stands between backticks is no link.
pub(crate) fn links(line: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut code = false;
    for (at, found) in line.match_indices(['`', ']']) {
        match found {
            "`" => code = !code,
            _ if code => {}
            _ => links.extend(
                line[at..]
                    .strip_prefix("](")
                    .and_then(|rest| rest.split(')').next()),
            ),
        }
    }
    links
}

/// The anchors of the headings of a text, as the usual forges make them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let (_, prose) = read(text);
    let headings = prose.iter().filter_map(|(_, line)| {
        line.strip_prefix('#')
            .map(|rest| rest.trim_start_matches('#'))
    });
    let mut anchors: Vec<String> = Vec::new();
    for heading in headings {
        let kept = heading.trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let earlier = anchors.iter().filter(|anchor| **anchor == slug).count();
        anchors.push(if earlier == 0 {
            slug
        } else {
            format!("{slug}-{earlier}")
        });
    }
    anchors
}

#[test]
fn what_a_page_is_made_of_is_read() {
    let text = "# A `b.c` d\n<!-- not run: x -->\n\n```sh\na\n```\nsee [x](y.md#z), `[no](link)`\n## A b\n## A b\n";
    let (fences, prose) = read(text);
    assert_eq!(
        (
            fences[0].info.as_str(),
            fences[0].text.as_str(),
            fences[0].line
        ),
        ("sh", "a\n", 4)
    );
    assert_eq!(fences[0].remarks, ["not run: x"]);
    assert_eq!(
        prose
            .iter()
            .flat_map(|(_, line)| links(line))
            .collect::<Vec<_>>(),
        ["y.md#z"]
    );
    assert_eq!(anchors(text), ["a-bc-d", "a-b", "a-b-1"]);
}

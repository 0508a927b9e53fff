//! Path templates: `/jobs/{id}`.

/// A path template, segment by segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    /// Its segments; none for `/`.
    pub pieces: Vec<TemplateSegment>,
}

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSegment {
    /// This text.
    Literal(String),
    /// `{name}`.
    Parameter(String),
    /// Parameters and text in one segment, such as `{id}.json`. Patterns have whole segments only.
    Mixed(String),
}

impl PathTemplate {
    /// Reads the template of a document; `None` where it does not begin with a slash. Empty segments are ignored.
    pub fn read(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('/')?;
        let pieces = inner
            .split('/')
            .filter(|piece| !piece.is_empty())
            .map(piece);
        Some(Self {
            pieces: pieces.collect(),
        })
    }

    /// The document of this path and the pages of FastAPI that read it, which lie beside it.
    pub fn pages(&self) -> Vec<Self> {
        let folder = self
            .pieces
            .split_last()
            .map_or(&[][..], |(_, folder)| folder);
        let page = |names: &[&str]| Self {
            pieces: folder
                .iter()
                .cloned()
                .chain(
                    names
                        .iter()
                        .map(|name| TemplateSegment::Literal((*name).to_owned())),
                )
                .collect(),
        };
        let pages: [&[&str]; 3] = [&["docs"], &["docs", "oauth2-redirect"], &["redoc"]];
        std::iter::once(self.clone())
            .chain(pages.map(page))
            .collect()
    }
    /// The template below another one.
    #[must_use]
    pub fn below(&self, prefix: &Self) -> Self {
        Self {
            pieces: [prefix.pieces.as_slice(), &self.pieces].concat(),
        }
    }
}

fn piece(text: &str) -> TemplateSegment {
    let inner = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    match inner.filter(|inner| !inner.contains(['{', '}'])) {
        Some(name) => TemplateSegment::Parameter(name.to_owned()),
        None if text.contains(['{', '}']) => TemplateSegment::Mixed(text.to_owned()),
        None => TemplateSegment::Literal(text.to_owned()),
    }
}

impl std::fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.pieces.is_empty() {
            return f.write_str("/");
        }
        self.pieces.iter().try_for_each(|piece| match piece {
            TemplateSegment::Literal(text) | TemplateSegment::Mixed(text) => write!(f, "/{text}"),
            TemplateSegment::Parameter(name) => write!(f, "/{{{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_text_parameters_or_both() {
        let template = PathTemplate::read("/jobs/{id}/{file}.json/").unwrap();
        assert_eq!(
            template.pieces,
            [
                TemplateSegment::Literal("jobs".to_owned()),
                TemplateSegment::Parameter("id".to_owned()),
                TemplateSegment::Mixed("{file}.json".to_owned())
            ]
        );
        assert_eq!(template.to_string(), "/jobs/{id}/{file}.json");
        assert_eq!(PathTemplate::read("/").unwrap().to_string(), "/");
        assert_eq!(PathTemplate::read("jobs"), None);
        let below = PathTemplate::read("/x")
            .unwrap()
            .below(&PathTemplate::read("/v1/").unwrap());
        assert_eq!(below.to_string(), "/v1/x");
    }
}

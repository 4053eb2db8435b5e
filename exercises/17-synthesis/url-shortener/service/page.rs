//! The pages for people: plain HTML, no script, nothing from elsewhere.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::problem::Problem;

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}\
input,button{font:inherit;padding:.5rem}input{width:100%;box-sizing:border-box;margin:.5rem 0}\
table{border-collapse:collapse}td,th{padding:.2rem 1rem .2rem 0;text-align:left}td.n{text-align:right}\
h1,code{overflow-wrap:anywhere}.problem{border-left:.3rem solid #b00020;padding-left:1rem}p.link{font-size:1.4rem;overflow-wrap:anywhere}";

/// The form, after a refusal with what was typed and why.
pub fn form(typed: &str, refused: Option<&Problem>) -> Response {
    let why = refused.map_or_else(String::new, |problem| {
        format!(
            "<p class=\"problem\" role=\"alert\"><strong>{}.</strong> {}</p>",
            escaped(problem.title()),
            escaped(problem.detail())
        )
    });
    let body = format!(
        "<h1>Shorten a URL</h1>{why}<form method=\"post\" action=\"/\"><label for=\"url\">URL</label>\
         <input id=\"url\" name=\"url\" value=\"{}\" required autocomplete=\"off\" placeholder=\"https://example.com/a/long/path\">\
         <button>Shorten</button></form>",
        escaped(typed)
    );
    let status = refused.map_or(StatusCode::OK, Problem::status);
    html(status, "Shorten a URL", &body)
}

/// A link that was made, or was there.
pub fn made(short: &str, target: &str) -> Response {
    let (short, target) = (escaped(short), escaped(target));
    let body = format!(
        "<h1>Your link</h1><p class=\"link\"><a id=\"short\" href=\"{short}\">{short}</a></p><p>It leads to <code>{target}</code>.</p>\
         <p><a id=\"clicks\" href=\"{short}+\">See its clicks</a> · <a href=\"/\">Shorten another</a></p>"
    );
    html(StatusCode::OK, "Your link", &body)
}

/// Where a link leads, and how often it was visited, hour by hour: `windows` are seconds since 1970 and clicks.
pub fn clicks(short: &str, target: &str, removed: bool, windows: &[(u64, u64)]) -> Response {
    let total: u64 = windows.iter().map(|(_, clicks)| clicks).sum();
    let rows: String = windows
        .iter()
        .map(|(begin, clicks)| format!("<tr><td>{}</td><td class=\"n\">{clicks}</td></tr>", hour(*begin)))
        .collect();
    let state = if removed { "<p class=\"problem\">It was taken down.</p>" } else { "" };
    let body = format!(
        "<h1>{}</h1>{state}<p>It leads to <code>{}</code>.</p><p>Clicks: <strong id=\"total\">{total}</strong></p>\
         <table><thead><tr><th scope=\"col\">Hour (UTC)</th><th scope=\"col\">Clicks</th></tr></thead><tbody>{rows}</tbody></table>\
         <p><a href=\"/\">Shorten another</a></p>",
        escaped(short),
        escaped(target)
    );
    html(StatusCode::OK, "Clicks", &body)
}

/// A refusal, for people.
pub fn refused(problem: &Problem) -> Response {
    let body = format!(
        "<h1>{}</h1><p>{}</p><p><a href=\"/\">Shorten a URL</a></p>",
        escaped(problem.title()),
        escaped(problem.detail())
    );
    html(problem.status(), problem.title(), &body)
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{}</title><link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style></head><body><main>{body}</main></body></html>",
        escaped(title)
    );
    let mut response = (status, Html(page)).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// `2026-11-22 13:00`, from seconds since 1970 (Hinnant's civil-from-days).
fn hour(seconds: u64) -> String {
    let (days, hour) = (seconds / 86_400, seconds / 3_600 % 24);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:00")
}

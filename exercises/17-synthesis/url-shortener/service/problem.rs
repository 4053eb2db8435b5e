//! Every refusal is a problem detail (RFC 9457): a type that a program can branch on, and words for people.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use url_shortener::create::{LONGEST, Rejected};

/// What went wrong. The type is a reference relative to the service's own address.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: String,
    retry_after: Option<u64>,
}

impl Problem {
    pub fn new(status: StatusCode, name: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, name, title, detail: detail.into(), retry_after: None }
    }

    /// After so many seconds it is worth trying again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn title(&self) -> &'static str {
        self.title
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn unavailable(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now", detail).retry_after(1)
    }

    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-link",
            "There is no such link",
            "Nobody has made a link with this code.",
        )
    }

    pub fn gone() -> Self {
        Self::new(StatusCode::GONE, "taken-down", "This link was taken down", "It will not come back.")
    }
}

impl From<&Rejected> for Problem {
    fn from(rejected: &Rejected) -> Self {
        let (name, title, detail) = match rejected {
            Rejected::TooLong(bytes) => {
                ("too-long", "The URL is too long", format!("It has {bytes} bytes; {LONGEST} are the most."))
            }
            Rejected::Character(at) => (
                "character",
                "A character is not allowed",
                format!("Byte {at} is not allowed in a URL: percent-encode it."),
            ),
            Rejected::Scheme(scheme) => ("scheme", "Only http and https", format!("`{scheme}:` is not shortened.")),
            Rejected::NotAUrl => {
                ("not-a-url", "That is not a URL", "A URL begins with http:// or https://.".to_owned())
            }
            Rejected::Credentials => (
                "credentials",
                "A user name stands before the host",
                "Such URLs are not shortened: they look like another page.".to_owned(),
            ),
            Rejected::Host => (
                "host",
                "That is not a host",
                "A name, or an IPv6 address in brackets, and a port below 65536.".to_owned(),
            ),
            Rejected::Itself => {
                ("itself", "That is us", "A short link to a short link would lead round in circles.".to_owned())
            }
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, name, title, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("/problems/{}", self.name),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Why a body could not be read, by the status that the framework gives it.
pub fn unreadable(status: StatusCode) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(status, "too-large", "The body is too large", "16 KB are the most.")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(status, "media-type", "This is no form", "A form is `application/x-www-form-urlencoded`.")
        }
        _ => Problem::new(
            StatusCode::BAD_REQUEST,
            "body",
            "The body is not what it should be",
            "It ended too early, or has no `url`.",
        ),
    }
}

/// What the layer of the idempotency keys answers with a bare status.
pub fn of_key(response: Response) -> Response {
    let status = response.status();
    if is_said(&response) {
        return response;
    }
    let (name, title, detail) = match status {
        StatusCode::CONFLICT => {
            ("key-in-use", "That is under way", "The first request with this Idempotency-Key is still being executed.")
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            ("key-reused", "The key is another request's", "This Idempotency-Key was used with another body.")
        }
        StatusCode::BAD_REQUEST => ("key", "That is no key", "One Idempotency-Key, of visible characters."),
        _ => return response,
    };
    Problem::new(status, name, title, detail).into_response()
}

/// Makes a problem of an error that some layer answered with a bare status.
pub fn of_bare(response: Response) -> Response {
    let status = response.status();
    if is_said(&response) || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (name, detail) = match status {
        StatusCode::METHOD_NOT_ALLOWED => ("method", "This path has other methods."),
        _ => ("http", "Nothing more is known."),
    };
    let title = status.canonical_reason().unwrap_or("An error");
    let mut problem = Problem::new(status, name, title, detail).into_response();
    for name in [header::ALLOW, header::CONNECTION] {
        if let Some(value) = response.headers().get(&name) {
            problem.headers_mut().insert(name, value.clone());
        }
    }
    problem
}

fn is_said(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(b"application/problem+json") || kind.starts_with(b"text/html")
}

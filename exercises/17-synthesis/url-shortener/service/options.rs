//! What the program can be told on its command line.

use std::path::PathBuf;

use url_shortener::click::Policy;
use url_shortener::parts::client_ip::Net;

pub const HELP: &str = "\
A URL shortener over a SQLite file. With the word `load` it measures itself, beside others: [--seconds N] [--links N] [--write PAGE].

  --listen ADDRESS        where to listen (127.0.0.1:8080)
  --database FILE         the file; made if it is not there (links.db)
  --base URL              what short links begin with (http:// and the address)
  --burst N               creates that a client may make at once (20)
  --creates-per-second N  and in the long run (5)
  --trusted-proxy NET     whose X-Forwarded-For is believed, such as 10.0.0.0/8; several times for several
  --admin-token TOKEN     who sends it as a bearer token may take links down; without it nobody may
  --redirects count|cache 302 and every click is counted, or 301 and browsers keep it for a day (count)
  --cached-links N        how many links the cache holds (100000)
  --filter-links N        for how many links the filter is made (1000000, or twice what is there)
  --no-cache              every visit reads the file: neither cache nor filter
  --log-per-million N     how many of a million requests are logged; failures always are (1000000)
  --max-pages N           the file may have so many pages: a full disk, to try out
  --help                  this
";

pub struct Options {
    pub listen: String,
    pub database: PathBuf,
    pub base: Option<String>,
    pub burst: u32,
    pub creates_per_second: u32,
    pub trusted: Vec<Net>,
    pub admin_token: Option<String>,
    pub policy: Policy,
    pub cached_links: usize,
    pub filter_links: u64,
    pub cache: bool,
    pub log_per_million: u32,
    pub max_pages: Option<u32>,
}

/// Nothing if help is wanted.
pub fn read(words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        listen: "127.0.0.1:8080".to_owned(),
        database: "links.db".into(),
        base: None,
        burst: 20,
        creates_per_second: 5,
        trusted: vec![],
        admin_token: None,
        policy: Policy::Count,
        cached_links: 100_000,
        filter_links: 1_000_000,
        cache: true,
        log_per_million: 1_000_000,
        max_pages: None,
    };
    let mut words = words;
    while let Some(word) = words.next() {
        if word == "--help" || word == "-h" {
            return Ok(None);
        }
        if word == "--no-cache" {
            options.cache = false;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} needs a value, or is unknown"))?;
        let wrong = |what: &str| format!("{word} {value}: {what}");
        match word.as_str() {
            "--listen" => options.listen = value,
            "--database" => options.database = value.into(),
            "--base" => options.base = Some(value.trim_end_matches('/').to_owned()),
            "--burst" => options.burst = value.parse().map_err(|_| wrong("not a number"))?,
            "--creates-per-second" => options.creates_per_second = value.parse().map_err(|_| wrong("not a number"))?,
            "--trusted-proxy" => options.trusted.push(net(&value).ok_or_else(|| wrong("not a net"))?),
            "--admin-token" => options.admin_token = Some(value).filter(|token| !token.is_empty()),
            "--redirects" => {
                options.policy = match value.as_str() {
                    "count" => Policy::Count,
                    "cache" => Policy::Cache,
                    _ => return Err(wrong("count or cache")),
                }
            }
            "--cached-links" => options.cached_links = value.parse().map_err(|_| wrong("not a number"))?,
            "--filter-links" => options.filter_links = value.parse().map_err(|_| wrong("not a number"))?,
            "--log-per-million" => options.log_per_million = value.parse().map_err(|_| wrong("not a number"))?,
            "--max-pages" => options.max_pages = Some(value.parse().map_err(|_| wrong("not a number"))?),
            _ => return Err(format!("{word} is unknown")),
        }
    }
    Ok(Some(options))
}

fn net(text: &str) -> Option<Net> {
    let (base, prefix) = text.split_once('/')?;
    Net::new(base.parse().ok()?, prefix.parse().ok()?)
}

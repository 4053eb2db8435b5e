//! The shortener, served: axum in front, a SQLite file behind, and in between the crate that the reader has written.
//!
//! `cargo run --release -p url-shortener-solution`, then open <http://127.0.0.1:8080>. `--help` lists the options.
//! Yours: `cargo run --release -p url-shortener --features serve`.
//! Nothing in here decides what a URL is, which code it gets, what a visitor is told or what counts: that is asked of `url_shortener`.

mod app;
mod database;
mod http;
mod load;
mod metrics;
mod options;
mod page;
mod problem;
mod process;
mod trace;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

/// After so long without an end, a shutdown ends all the same.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "load") {
        return exit(load::run(words.into_iter().skip(1)));
    }
    if words.iter().any(|word| word == "bare") {
        return exit(load::bare());
    }
    let options = match options::read(words.into_iter()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return exit::<std::io::Error>(Err(error)),
    };
    exit(runtime.block_on(serve(options)))
}

/// Says what went wrong, if something did.
fn exit<E: std::fmt::Display>(ended: Result<(), E>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: options::Options) -> Result<(), String> {
    let listen = options.listen.clone();
    let listener = TcpListener::bind(&listen).await.map_err(|error| format!("{listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("{listen}: {error}"))?;
    let told = told_to_stop().map_err(|error| error.to_string())?;
    let app = Arc::new(app::App::open(options, address)?);
    let writer = tokio::spawn(Arc::clone(&app).count_clicks());
    tokio::spawn(Arc::clone(&app).forget_old_keys());
    println!("{{\"level\":\"info\",\"listening\":\"{address}\",\"links\":{}}}", app.links_at_start());
    let _ = std::io::stdout().flush(); // whoever reads the address from a pipe waits for it

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let service = app::router(&app).into_make_service_with_connect_info::<SocketAddr>();
    let mut heard = stopped.clone();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        let _ = heard.wait_for(|stop| *stop).await;
    });
    let mut serving = tokio::spawn(server.into_future());
    tokio::select! {
        ended = &mut serving => return ended.map_err(|error| error.to_string())?.map_err(|error| error.to_string()),
        () = told => {}
    }
    // No new connections; those that are open may end what they have begun.
    let _ = stop.send(true);
    let in_time = tokio::time::timeout(LAST_REQUESTS, serving).await.is_ok();
    app.stop_counting();
    let counted = tokio::time::timeout(LAST_REQUESTS, writer).await.is_ok();
    println!("{{\"level\":\"info\",\"stopped\":true,\"all_answered\":{in_time},\"all_counted\":{counted}}}");
    Ok(())
}

/// Ends when somebody presses Ctrl-C or an orchestrator says that it is time. Both are heard from this call on: who has seen that we
/// listen may send the signal at once.
#[cfg(unix)]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends when somebody presses Ctrl-C.
#[cfg(not(unix))]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

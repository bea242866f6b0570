//! What all tests share, and how one of them is run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::browser::{Browser, Chromedriver};
use crate::world::World;

/// Dropped at the end of `main`, which ends the processes.
#[derive(Debug)]
pub(crate) struct House {
    /// Opened by the first test, so that tests can be listed without it.
    stock: OnceLock<Option<Arc<Stock>>>,
    runtime: Runtime,
}

#[derive(Debug)]
struct Stock {
    chromedriver: Chromedriver,
    /// Those that nobody has at the moment.
    browsers: Mutex<Vec<Browser>>,
    world: World,
    axe: String,
    pictures: PathBuf,
}

impl Stock {
    async fn open() -> Self {
        let told = |name: &str| PathBuf::from(std::env::var_os(name).expect("tests/page/run sets it"));
        Self {
            axe: std::fs::read_to_string(told("CALFERRY_AXE")).unwrap(),
            pictures: told("CALFERRY_PICTURES"),
            chromedriver: Chromedriver::start().await,
            browsers: Mutex::default(),
            world: World::start().await,
        }
    }
}

/// What one test has.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) browser: Browser,
    stock: Arc<Stock>,
}

impl Stage {
    async fn enter(stock: Arc<Stock>) -> Self {
        let idle = stock.browsers.lock().unwrap().pop();
        let browser = match idle {
            Some(browser) => browser,
            None => Browser::start(&stock.chromedriver).await,
        };
        browser.clear().await;
        Self { browser, stock }
    }

    fn leave(self) {
        self.stock.browsers.lock().unwrap().push(self.browser);
    }

    /// The program that everybody looks at and nobody changes.
    pub(crate) fn world(&self) -> &World {
        &self.stock.world
    }

    /// The script of axe-core.
    pub(crate) fn axe(&self) -> &str {
        &self.stock.axe
    }

    /// Takes a picture of the page and keeps it under this name.
    pub(crate) async fn picture(&self, name: &str) -> PathBuf {
        let path = self.stock.pictures.join(format!("{name}.png"));
        std::fs::write(&path, self.browser.picture().await).unwrap();
        path
    }
}

impl House {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { stock: OnceLock::new(), runtime: Runtime::new().unwrap() })
    }

    pub(crate) fn test(self: &Arc<Self>, name: &str, test: impl AsyncFnOnce(&Stage) + Send + 'static) -> Trial {
        let house = Arc::clone(self);
        Trial::test(name, move || {
            house.run(test);
            Ok(())
        })
    }

    fn run(&self, test: impl AsyncFnOnce(&Stage)) {
        // What is not there for one test is there for none, and is not waited for again.
        let stock = self
            .stock
            .get_or_init(|| catch_unwind(AssertUnwindSafe(|| Arc::new(self.runtime.block_on(Stock::open())))).ok());
        let stock = stock.clone().expect("the first panic tells what is not there");
        let stage = self.runtime.block_on(Stage::enter(stock));
        let ended = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(test(&stage))));
        match ended {
            Ok(()) => stage.leave(),
            // Nobody knows what is wrong with its browser, so that nobody else gets it.
            Err(panic) => {
                // What has failed is the test.
                let _ = self.runtime.block_on(stage.browser.quit());
                resume_unwind(panic)
            }
        }
    }

    /// Ends the browsers. What has started them, and the program, end with the house.
    pub(crate) fn close(&self) {
        let Some(stock) = self.stock.get().and_then(Option::as_ref) else { return };
        for browser in std::mem::take(&mut *stock.browsers.lock().unwrap()) {
            self.runtime.block_on(browser.quit()).unwrap();
        }
    }
}

//! The chat page's files, embedded, so that the program needs nothing beside it.

/// One file of the page.
pub(super) struct PageFile {
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: &'static str,
}

/// Every file of the page.
pub(super) const PAGE_FILES: [PageFile; 3] = [
    PageFile {
        path: "/",
        content_type: "text/html; charset=utf-8",
        body: include_str!("page/index.html"),
    },
    PageFile {
        path: "/assets/app.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("page/app.css"),
    },
    PageFile {
        path: "/assets/app.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("page/app.js"),
    },
];

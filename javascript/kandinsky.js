// Presses the buttons of Kandinsky's page that nobody sees.

(() => {
    const id = (tab, name) => `#script_${tab}_kandinsky_${name}`;
    const tabs = ["txt2img", "img2img"];

    function press(tab, name) {
        gradioApp().querySelector(id(tab, name))?.click();
    }

    function isChosen(tab) {
        return gradioApp().querySelector(`#tab_${tab} #script_list input`)?.value === "Kandinsky";
    }

    // The host carries the values of fields to the other tab, but not which script is chosen.
    function keepScriptWhenSent(from) {
        for (const to of ["img2img", "inpaint"]) {
            const button = gradioApp().querySelector(`#${from}_send_to_${to}`);
            button?.addEventListener("click", () => {
                if (isChosen(from)) press("img2img", "choose");
            });
        }
    }

    // The host writes there at the end of each run.
    function refreshAfterRuns(tab) {
        const log = gradioApp().querySelector(`#html_log_${tab}`);
        if (!log) return;
        const refresh = () => tabs.forEach((one) => press(one, "status_refresh"));
        new MutationObserver(refresh).observe(log, {childList: true, subtree: true});
    }

    // While the engine is being built, for the first time.
    function refreshWhileBusy(tab) {
        setInterval(() => {
            const busy = gradioApp().querySelector(`${id(tab, "status")} .kandinsky-busy`);
            if (busy) press(tab, "status_refresh");
        }, 3000);
    }

    onUiLoaded(() => {
        for (const tab of tabs) {
            keepScriptWhenSent(tab);
            refreshAfterRuns(tab);
            refreshWhileBusy(tab);
            press(tab, "status_refresh");
            // A download goes on without a page; where one does, the button polls.
            press(tab, "get_refresh");
        }
    });
})();

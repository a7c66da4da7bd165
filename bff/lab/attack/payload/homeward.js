// The victim goes back to the application, which does not learn from where: that visit is no part of the attack.
Object.assign(document.createElement("a"), {rel: "noreferrer", href: home}).click();

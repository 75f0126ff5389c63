console.log("quickstart");

"""Every loader in the situations people meet: folders, servers, slow links, large and odd series."""

() => {
  const { app, LiteGraph } = window;
  // Nodes are numbered in the order of the specification, from 1.
  async function build(spec) {
    await app.loadGraphData({ nodes: [], links: [], version: 0.4, last_node_id: 0, last_link_id: 0 });
    const nodes = {};
    let id = 0;
    for (const [name, each] of Object.entries(spec)) {
      const node = LiteGraph.createNode(each.kind);
      node.id = ++id;
      app.graph.add(node);
      nodes[name] = node;
      if (each.title) node.title = each.title;
      node.pos = each.at;
      for (const [widget, value] of Object.entries(each.widgets)) setWidget(node, widget, value);
      node.setSize(each.size ?? node.computeSize());
    }
    app.graph.last_node_id = app.graph.state.lastNodeId = id;
    for (const [name, each] of Object.entries(spec)) {
      for (const [input, [source, place]] of Object.entries(each.inputs)) {
        const slot = nodes[name].inputs.findIndex((one) => one.name === input);
        if (slot < 0) throw new Error(`${each.kind} has no input ${input}`);
        if (!nodes[source].connect(place, nodes[name], slot)) throw new Error(`${name}.${input} was refused`);
      }
    }
    await new Promise((done) => setTimeout(done, 300));
    for (const [name, each] of Object.entries(spec)) {
      if (each.size) nodes[name].setSize([each.size[0], Math.max(each.size[1], nodes[name].computeSize()[1])]);
    }
    return nodes;
  }

  function setWidget(node, name, value) {
    const widget = name ? node.widgets.find((one) => one.name === name) : node.widgets[0];
    if (!widget) throw new Error(`${node.type} has no widget ${name}`);
    widget.value = value;
    widget.callback?.(value);
  }

  window.pezBuild = async (spec) => {
    await build(spec);
    return { workflow: app.graph.serialize(), graph: (await app.graphToPrompt()).output };
  };

  // Shows what a node gave back in a run, pictures included.
  window.pezShow = (id, output) => {
    app.nodeOutputs = { ...app.nodeOutputs, [id]: output };
    app.graph.getNodeById(id).onExecuted?.(output);
    app.canvas.setDirty(true, true);
  };

  // Moves the nodes into view and returns where they are: x, y, width, height.
  window.pezLookAt = (ids, scale) => {
    const edge = 20;
    const title = LiteGraph.NODE_TITLE_HEIGHT;
    const all = ids.map((id) => app.graph.getNodeById(id));
    const left = Math.min(...all.map((node) => node.pos[0])) - edge;
    const top = Math.min(...all.map((node) => node.pos[1])) - title - edge;
    const right = Math.max(...all.map((node) => node.pos[0] + node.size[0])) + edge;
    const bottom = Math.max(...all.map((node) => node.pos[1] + node.size[1])) + edge;
    const [x, y] = [120, 120];
    const fit = Math.min(scale, (window.innerWidth - 2 * x) / (right - left), (window.innerHeight - y - 40) / (bottom - top));
    Object.assign(app.canvas.ds, { scale: fit, offset: [x / fit - left, y / fit - top] });
    app.canvas.setDirty(true, true);
    return [x, y, (right - left) * fit, (bottom - top) * fit];
  };

  window.pezBlueprint = async (spec, name, inputs, outputs) => {
    const nodes = Object.values(await build(spec));
    const { subgraph, node } = app.graph.convertToSubgraph(new Set(nodes));
    subgraph.name = node.title = name;
    for (const each of [...subgraph.inputs]) subgraph.removeInput(each); // the page guesses which widgets to show outside
    for (const [outer, id, inner, label] of inputs) {
      const target = subgraph.getNodeById(id);
      const slot = target.inputs.find((one) => one.name === inner);
      const added = subgraph.addInput(outer, slot.type);
      subgraph.renameInput(added, label);
      subgraph.inputNode.slots.find((one) => one.name === outer).connect(slot, target);
    }
    for (const [outer, id, place] of outputs) {
      const source = subgraph.getNodeById(id);
      const slot = source.outputs[place];
      subgraph.addOutput(outer, slot.type);
      subgraph.outputNode.slots.find((one) => one.name === outer).connect(slot, source);
    }
    node.pos = [0, 0];
    node.setSize([420, Math.max(260, node.computeSize()[1])]);
    await new Promise((done) => setTimeout(done, 300));
    return app.graph.serialize();
  };
}

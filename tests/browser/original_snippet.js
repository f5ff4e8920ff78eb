// Connect to WebSocket
const ws = new WebSocket('ws://localhost:8000/api/gemini/ws');

// Handle connection
ws.onopen = () => {
    console.log('Connected to Gemini Live');
    
    // Send optional configuration
    ws.send(JSON.stringify({
        type: 'config',
        data: {
            model: 'gemini-2.0-flash-exp',
            generation_config: {
                temperature: 0.7,
                max_output_tokens: 1000,
                response_modalities: ['TEXT']
            }
        }
    }));
};

// Handle messages
ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    
    switch(data.type) {
        case 'response':
            console.log('Gemini says:', data.text);
            // Display text in UI
            break;
            
        case 'audio':
            console.log('Received audio data');
            // Play audio: new Audio('data:audio/wav;base64,' + data.data).play()
            break;
            
        case 'system':
            console.log('System:', data.data);
            break;
            
        case 'error':
            console.error('Error:', data.data);
            break;
    }
};

// Send text message
function sendMessage(text) {
    ws.send(JSON.stringify({
        type: 'message',
        data: { text: text }
    }));
}

// Send audio (requires PCM conversion)
function sendAudio(audioBlob) {
    const reader = new FileReader();
    reader.onloadend = () => {
        const base64Audio = reader.result.split(',')[1];
        ws.send(JSON.stringify({
            type: 'audio',
            data: base64Audio
        }));
    };
    reader.readAsDataURL(audioBlob);
}
